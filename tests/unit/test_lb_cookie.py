"""The balancer's own cookie: what it says, who believes it, and when it is written anew."""

from __future__ import annotations

import re
from typing import Any

import pytest

from lb.balance import RoundRobin
from lb.cookie import CookieForm, CookieSticky
from lb.failover import Failover
from lb.pool import Address, Event, Pool, Server
from lb.request import parse_request
from lb.response import ResponseHead, parse_response
from lb.route import Came, Route, Routing, Went

SECRET = b"sixteen characters at least"


class Site:
    """Three servers that are up, tied by cookie; ``clock`` is Unix time."""

    def __init__(self, *names: str, failover: Failover = Failover.REBALANCE, **form: Any) -> None:
        self.clock = 1_000_000.0
        self.pool = Pool(clock=lambda: self.clock)
        for number, name in enumerate(names or ("s1", "s2", "s3"), 1):
            self.pool.apply(self.pool.add(name, Address("127.0.0.1", number)), Event.PASSED, "L7OK")
        self.sticky = CookieSticky(
            CookieForm(**form), self.pool, failover, lambda: self.clock, app_cookie="cart_sid"
        )
        self.routing = Routing(self.pool, self.sticky, RoundRobin(), failover)

    def server(self, name: str) -> Server:
        server = self.pool.get(name)
        assert server is not None
        return server

    def find(self, *cookies: bytes) -> Route:
        return self.sticky.find(head(*cookies), 0.0)

    def give(self, route: Route, name: str, *lines: bytes) -> str | None:
        """The value of the cookie that ``name``'s answer brings, if any."""
        _, extra = self.sticky.dress(route, self.server(name), answer(*lines))
        match = re.search(rb"^Set-Cookie: LABSRV=([^;]*)", extra)
        return match[1].decode() if match else None


def head(*cookies: bytes) -> Any:
    lines = b"".join(b"Cookie: " + cookie + b"\r\n" for cookie in cookies)
    return parse_request(b"GET / HTTP/1.1\r\nHost: shop\r\n" + lines + b"X-Last: 1\r\n").fields


def answer(*lines: bytes) -> ResponseHead:
    text = b"".join(line + b"\r\n" for line in lines)
    return parse_response(b"HTTP/1.1 200 OK\r\n" + text + b"Content-Length: 0\r\n", b"GET")


@pytest.mark.parametrize(
    ("cookies", "onward"),
    [
        ([b"x=1; LABSRV=s1; y=2"], [b"x=1; y=2"]),
        ([b"LABSRV=s1; y=2"], [b"y=2"]),
        ([b"x=1;LABSRV=s1"], [b"x=1"]),
        ([b"LABSRV=s1"], []),
        ([b"LABSRV=s1", b"z=3; LABSRV=s2"], [b"z=3"]),
        ([b"XLABSRV=s1; labsrv=s1; y=LABSRV=s1"], [b"XLABSRV=s1; labsrv=s1; y=LABSRV=s1"]),
        ([b"a=1;  b=2 ;c"], [b"a=1;  b=2 ;c"]),
    ],
)
def test_c03_servers_see_all_cookies_but_ours(cookies: list[bytes], onward: list[bytes]) -> None:
    lines = b"".join(b"Cookie: " + value + b"\r\n" for value in onward)
    assert Site().sticky.onward(head(*cookies)) == b"Host: shop\r\n" + lines + b"X-Last: 1\r\n"


def test_c01_a_client_without_a_cookie_gets_one_that_names_who_answered() -> None:
    site = Site()
    route = site.find()
    assert (route.came, route.bound) == (Came.NONE, None)
    assert site.give(route, "s2") == "s2"
    assert route.went is Went.INSERTED


def test_c02_a_right_cookie_is_believed_and_not_repeated() -> None:
    site = Site()
    route = site.find(b"LABSRV=s2")
    assert route.next(site.routing) is site.server("s2")
    assert site.give(route, "s2") is None
    assert (route.came, route.went) == (Came.VALID, Went.NONE)


@pytest.mark.parametrize(
    "value", [b"s9", b"", b'"s1"', b"S1", b"x" * 4096, b"s1|", b"s1|1", b"s1|x|y", b"s1|1|1|ab", b"\xff"]
)
def test_c04_a_value_that_names_nobody_is_as_good_as_none(value: bytes) -> None:
    site = Site()
    route = site.find(b"LABSRV=" + value)
    assert (route.came, route.bound) == (Came.INVALID, None)
    assert site.give(route, "s1") == "s1"


@pytest.mark.parametrize(
    ("cookie", "tied"),
    [
        (b"LABSRV=s2; LABSRV=s1", "s2"),
        (b"LABSRV=nobody; LABSRV=s3", "s3"),
        (b"LABSRV=s1; LABSRV=s3", "s3"),
        (b"LABSRV=s1", "s1"),
    ],
)
def test_c05_the_first_cookie_whose_server_can_take_the_request_wins(cookie: bytes, tied: str) -> None:
    site = Site()
    site.pool.apply(site.server("s1"), Event.FAILED, "L4CON")
    assert site.find(cookie).bound is site.server(tied)


@pytest.mark.parametrize("cookie", [b"XLABSRV=s1", b"labsrv=s1", b"x=LABSRV=s1", b"LABSRV2=s1", b"LABSRV"])
def test_c06_only_our_name_exactly_is_ours(cookie: bytes) -> None:
    assert Site().find(cookie).came is Came.NONE


def test_c08_a_server_may_set_a_cookie_of_our_name_only_if_it_is_preserved() -> None:
    theirs = (b"Set-Cookie: a=1", b"SET-COOKIE: LABSRV=mine; Path=/x", b"Set-Cookie: LABSRVX=2")
    site = Site()
    valid = site.find(b"LABSRV=s1")
    block, extra = site.sticky.dress(valid, site.server("s1"), answer(*theirs))
    assert block == b"Set-Cookie: a=1\r\nSet-Cookie: LABSRVX=2\r\nContent-Length: 0\r\n"
    assert (extra, valid.went) == (b"", Went.DELETED)
    assert site.give(site.find(), "s1", *theirs) == "s1"
    kept = Site(preserve=True)
    new = kept.find()
    block, extra = kept.sticky.dress(new, kept.server("s1"), answer(*theirs))
    assert (block, extra, new.went) == (answer(*theirs).block, b"", Went.PASSED)


def test_c11_a_life_of_its_own_is_said_in_both_words_and_otherwise_in_none() -> None:
    site = Site(max_age=3600)
    _, extra = site.sticky.dress(site.find(), site.server("s1"), answer())
    assert b"; Max-Age=3600; Expires=Mon, 12 Jan 1970 14:46:40 GMT\r\n" in extra
    _, extra = Site().sticky.dress(site.find(), site.server("s1"), answer())
    assert b"Max-Age" not in extra
    assert b"Expires" not in extra


def test_c12_it_is_for_the_site_alone_and_secure_when_clients_come_through_https() -> None:
    site = Site()
    _, extra = site.sticky.dress(site.find(), site.server("s1"), answer())
    assert extra.startswith(b"Set-Cookie: LABSRV=s1; Path=/; HttpOnly; SameSite=Lax\r\n")
    secure = Site(secure=True)
    assert b"; Secure" in secure.sticky.dress(secure.find(), secure.server("s1"), answer())[1]


def test_c13_idleness_ends_a_tie_and_use_renews_it() -> None:
    site = Site(max_idle=60)
    value = site.give(site.find(), "s1")
    assert value == "s1|1000000|1000000"
    site.clock += 60
    route = site.find(b"LABSRV=s1|1000000|1000000")
    assert (route.came, site.give(route, "s1"), route.went) == (
        Came.VALID,
        "s1|1000060|1000000",
        Went.UPDATED,
    )
    site.clock += 1
    route = site.find(b"LABSRV=s1|1000000|1000000")
    assert (route.came, route.bound) == (Came.EXPIRED, None)
    assert site.give(route, "s2") == "s2|1000061|1000061"


def test_c13_an_undated_cookie_is_accepted_and_dated() -> None:
    site = Site(max_idle=60)
    route = site.find(b"LABSRV=s1")
    assert (route.came, site.give(route, "s1")) == (Came.VALID, "s1|1000000|1000000")


def test_c13_a_date_more_than_a_day_ahead_is_no_date() -> None:
    site = Site(max_idle=60, max_life=60)
    ahead = int(site.clock) + 25 * 3600
    route = site.find(b"LABSRV=s1|%d|%d" % (ahead, ahead))
    assert (route.came, site.give(route, "s1")) == (Came.VALID, "s1|1000000|1000000")


def test_c13_within_one_second_a_dated_cookie_is_not_repeated() -> None:
    site = Site(max_idle=60)
    assert site.give(site.find(b"LABSRV=s1|1000000|999999"), "s1") is None


def test_c14_activity_does_not_extend_a_life() -> None:
    site = Site(max_life=10)
    value = site.give(site.find(), "s1")
    for _ in range(5):
        site.clock += 2
        value = site.give(site.find(b"LABSRV=" + str(value).encode()), "s1")
        assert value == f"s1|{int(site.clock)}|1000000"
    site.clock += 1
    assert site.find(b"LABSRV=" + str(value).encode()).came is Came.OLD


def test_c15_an_answer_that_ties_is_private() -> None:
    site = Site()
    assert b"Cache-Control: private\r\n" in site.sticky.dress(site.find(), site.server("s1"), answer())[1]
    assert site.sticky.dress(site.find(b"LABSRV=s1"), site.server("s1"), answer())[1] == b""


def test_c16_an_opaque_cookie_is_the_same_everywhere_and_tells_nothing() -> None:
    here, there, elsewhere = (
        Site(secret=secret) for secret in (SECRET, SECRET, b"another secret, also long")
    )
    values = [site.give(site.find(), "s1") for site in (here, there, elsewhere)]
    assert values[0] == values[1] != values[2]
    assert re.fullmatch(r"[0-9a-f]{16}", str(values[0]))
    mark = b"LABSRV=" + str(values[0]).encode()
    assert here.find(mark).bound is here.server("s1")
    assert elsewhere.find(mark).came is Came.INVALID
    assert here.find(b"LABSRV=s1").came is Came.INVALID


@pytest.mark.parametrize("limits", [{}, {"max_idle": 60}])
def test_c16_any_byte_of_an_opaque_cookie_changed_makes_it_worth_nothing(limits: dict[str, Any]) -> None:
    site = Site(secret=SECRET, **limits)
    value = str(site.give(site.find(), "s1")).encode()
    assert site.find(b"LABSRV=" + value).bound is site.server("s1")
    for position in range(len(value)):
        for byte in b"0a|\xff":
            forged = value[:position] + bytes([byte]) + value[position + 1 :]
            if forged != value:
                assert site.find(b"LABSRV=" + forged).bound is None


def test_c16_an_opaque_cookie_whose_dates_were_cut_off_is_expired() -> None:
    site = Site(secret=SECRET, max_idle=60)
    mark = str(site.give(site.find(), "s1")).partition("|")[0].encode()
    assert site.find(b"LABSRV=" + mark).came is Came.EXPIRED


@pytest.mark.parametrize("secret", [b"", SECRET], ids=["plain", "opaque"])
def test_c17_the_order_and_the_number_of_servers_change_nothing(secret: bytes) -> None:
    site = Site("s1", "s2", secret=secret)
    mark = b"LABSRV=" + str(site.give(site.find(), "s2")).encode()
    for names in (("s2", "s1"), ("s10", "s2", "s0"), ("s2",)):
        other = Site(*names, secret=secret)
        assert other.find(mark).bound is other.server("s2")


def test_c19_a_new_server_at_an_old_address_inherits_no_session() -> None:
    site = Site()
    mark = b"LABSRV=s1"
    address = site.server("s1").address
    site.pool.remove(site.server("s1"))
    site.pool.apply(site.pool.add("s4", address), Event.PASSED, "L7OK")
    assert site.find(mark).came is Came.INVALID


def test_a_moved_session_gets_the_cookie_of_its_new_server_unless_failover_is_open() -> None:
    for failover, given in ((Failover.REBALANCE, "s2"), (Failover.OPEN, None)):
        site = Site(failover=failover)
        site.pool.apply(site.server("s1"), Event.FAILED, "L4CON")
        route = site.find(b"LABSRV=s1; cart_sid=abc")
        moved = route.next(site.routing)
        assert moved is not site.server("s1")
        assert (route.came, site.give(route, "s2")) == (Came.DOWN, given)


def test_requests_of_one_session_that_fail_over_together_do_not_part_ways() -> None:
    site = Site()
    site.pool.apply(site.server("s1"), Event.FAILED, "L4CON")
    asked = {site.find(b"LABSRV=s1; cart_sid=abc").next(site.routing).name for _ in range(4)}
    assert len(asked) == 1


def test_a_draining_server_keeps_those_who_hold_its_cookie() -> None:
    site = Site()
    site.pool.apply(site.server("s1"), Event.DRAIN, "drain")
    route = site.find(b"LABSRV=s1")
    assert (route.came, route.next(site.routing)) == (Came.VALID, site.server("s1"))
