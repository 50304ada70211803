"""Ties: what is learned, from what, for how long, and what failover does to them."""

from __future__ import annotations

from hashlib import sha256

import pytest

from lb.balance import RoundRobin
from lb.failover import Failover
from lb.learned import Learned
from lb.pool import Address, Event, Pool, Server
from lb.refusals import Unanswered
from lb.request import Fields
from lb.route import Route, Routing
from lb.sticky import LearnSticky, NoSticky, fingerprint

TTL = 10.0


class Site:
    """Three servers that are up, and one mode of ties over them."""

    def __init__(self, failover: Failover = Failover.REBALANCE, limit: int = 100) -> None:
        self.pool = Pool(clock=lambda: 0.0)
        self.servers = [self.pool.add(f"s{n}", Address("127.0.0.1", n)) for n in (1, 2, 3)]
        for server in self.servers:
            self.pool.apply(server, Event.PASSED, "L7OK")
        self.table = Learned(TTL, limit)
        self.sticky = LearnSticky("cart_sid", self.table, failover)
        self.routing = Routing(self.pool, self.sticky, RoundRobin(), failover)

    def learn(self, value: bytes, server: Server, now: float = 0.0) -> None:
        self.sticky.settle(Route(), server, [b"cart_sid=" + value + b"; Path=/"], now)

    def find(self, cookie: bytes, now: float = 0.0) -> Route:
        return self.sticky.find(fields(cookie), now)

    def kill(self, server: Server) -> None:
        self.pool.apply(server, Event.FAILED, "L4CON")


def fields(*cookies: bytes) -> Fields:
    read = Fields(b"HTTP/1.1\r\n", b"")
    read.cookies = list(cookies)
    return read


def test_a_fingerprint_is_twelve_hex_digits_of_the_sha256_of_the_value_on_the_wire() -> None:
    assert fingerprint(b'"quoted value"') == sha256(b'"quoted value"').hexdigest()[:12]


def test_a_session_is_tied_to_the_server_that_set_its_cookie() -> None:
    site = Site()
    site.learn(b"abc", site.servers[1])
    assert site.find(b"cart_sid=abc").bound is site.servers[1]
    assert site.servers[1].sessions == 1


def test_a_session_that_only_a_client_knows_of_is_tied_to_nobody() -> None:
    site = Site()
    assert site.find(b"cart_sid=made-up").bound is None
    assert len(site.table) == 0


@pytest.mark.parametrize(
    "cookie",
    [
        b"cart_sid=abc",
        b"a=1; cart_sid=abc; b=2",
        b"a=1;cart_sid=abc",
        b"cart_sid=abc ; b=2",
        b"cart_sid=abc; Path=/; HttpOnly; SameSite=Lax",
        b"cart_sid=unknown; cart_sid=abc",
    ],
    ids=["alone", "in-the-middle", "no-space", "space-behind", "a-whole-set-cookie-line", "second-is-known"],
)
def test_the_cookie_is_found_wherever_it_stands(cookie: bytes) -> None:
    site = Site()
    site.learn(b"abc", site.servers[0])
    assert site.find(cookie).bound is site.servers[0]


@pytest.mark.parametrize(
    "cookie",
    [b"xcart_sid=abc", b"CART_SID=abc", b'a="cart_sid=abc"', b"cart_sid=ABC", b'cart_sid="abc"', b"cart_sid"],
)
def test_what_only_looks_like_the_cookie_is_not_it(cookie: bytes) -> None:
    site = Site()
    site.learn(b"abc", site.servers[0])
    assert site.find(cookie).bound is None


@pytest.mark.parametrize(
    "line",
    [b"cart_sid=; Max-Age=0", b"cart_sid; Path=/", b"other=abc", b"xcart_sid=abc", b"a=b; cart_sid=abc"],
)
def test_nothing_is_learned_from_a_set_cookie_without_the_value(line: bytes) -> None:
    site = Site()
    site.sticky.settle(Route(), site.servers[0], [line], 0.0)
    assert len(site.table) == 0


def test_a_new_id_for_the_same_session_is_tied_to_the_same_server() -> None:
    site = Site()
    site.learn(b"before-login", site.servers[2])
    route = site.find(b"cart_sid=before-login")
    site.sticky.settle(route, site.servers[2], [b"cart_sid=after-login"], 0.0)
    assert site.find(b"cart_sid=after-login").bound is site.servers[2]
    assert site.servers[2].sessions == 2


def test_an_entry_lives_for_its_ttl_from_its_last_use() -> None:
    site = Site()
    site.learn(b"abc", site.servers[0], now=0)
    assert site.find(b"cart_sid=abc", now=TTL).bound is site.servers[0]
    assert site.find(b"cart_sid=abc", now=2 * TTL).bound is site.servers[0]
    assert site.find(b"cart_sid=abc", now=3 * TTL + 0.1).bound is None


def test_to_look_at_a_session_is_not_to_use_it() -> None:
    site = Site()
    site.learn(b"abc", site.servers[0], now=0)
    assert site.table.peek(fingerprint(b"abc"), TTL) is not None
    assert site.table.peek(fingerprint(b"abc"), TTL + 0.1) is None


def test_what_expired_is_forgotten_and_no_longer_counted() -> None:
    site = Site()
    for n in range(5):
        site.learn(b"%d" % n, site.servers[0], now=n)
    site.find(b"cart_sid=0", now=8)
    site.table.expire(13.5)
    assert {session for session, _ in site.table.page(13.5, server=None, limit=9, after="")} == {
        fingerprint(b"0"),
        fingerprint(b"4"),
    }
    assert site.servers[0].sessions == len(site.table) == 2


def test_expiry_takes_no_more_than_its_budget_at_a_time() -> None:
    site = Site()
    for n in range(50):
        site.learn(b"%d" % n, site.servers[0])
    site.table.expire(TTL + 1, budget=20)
    assert len(site.table) == 30


def test_a_full_table_gives_up_the_entry_used_longest_ago() -> None:
    site = Site(limit=3)
    for n, value in enumerate([b"a", b"b", b"c"]):
        site.learn(value, site.servers[0], now=n)
    site.find(b"cart_sid=a", now=5)
    site.learn(b"d", site.servers[0], now=6)
    assert site.find(b"cart_sid=b", now=6).bound is None
    assert site.find(b"cart_sid=a", now=6).bound is not None
    assert (len(site.table), site.table.evicted, site.servers[0].sessions) == (3, 1, 3)


def test_a_page_of_the_table_continues_where_the_last_one_ended() -> None:
    site = Site()
    for n in range(25):
        site.learn(b"%d" % n, site.servers[n % 2])
    pages, after = [], ""
    while page := site.table.page(0, server=site.servers[0], limit=5, after=after):
        pages.append([session for session, _ in page])
        after = pages[-1][-1]
    found = [session for page in pages for session in page]
    assert found == sorted(fingerprint(b"%d" % n) for n in range(0, 25, 2))
    assert site.table.count(0, site.servers[0]) == 13


def test_without_ties_nothing_is_found_and_nothing_learned() -> None:
    sticky = NoSticky()
    sticky.settle(Route(), Site().servers[0], [b"cart_sid=abc"], 0.0)
    assert sticky.find(fields(b"cart_sid=abc"), 0.0).bound is None


# Failover


def test_rebalance_moves_the_session_for_good() -> None:
    site = Site(Failover.REBALANCE)
    home, *_ = site.servers
    site.learn(b"abc", home)
    site.kill(home)
    route = site.find(b"cart_sid=abc")
    server = route.next(site.routing)
    assert server is not home
    assert route.left_because == "down"
    assert site.sticky.settle(route, server, [], 0.0) is home
    site.pool.apply(home, Event.PASSED, "L7OK")
    assert site.find(b"cart_sid=abc").next(site.routing) is server
    assert (home.sessions, server.sessions) == (0, 1)


def test_strict_would_rather_answer_503() -> None:
    site = Site(Failover.STRICT)
    site.learn(b"abc", site.servers[0])
    site.kill(site.servers[0])
    with pytest.raises(Unanswered, match="the session lives on s1, which is down") as refusal:
        site.find(b"cart_sid=abc").next(site.routing)
    assert refusal.value.status == 503
    site.pool.apply(site.servers[0], Event.PASSED, "L7OK")
    assert site.find(b"cart_sid=abc").next(site.routing) is site.servers[0]


def test_open_lets_another_answer_but_the_session_goes_home_again() -> None:
    site = Site(Failover.OPEN)
    home, *_ = site.servers
    site.learn(b"abc", home)
    site.kill(home)
    route = site.find(b"cart_sid=abc")
    server = route.next(site.routing)
    assert server is not home
    assert site.sticky.settle(route, server, [b"cart_sid=abc"], 0.0) is None
    site.pool.apply(home, Event.PASSED, "L7OK")
    assert site.find(b"cart_sid=abc").next(site.routing) is home


def test_a_draining_server_keeps_its_sessions_and_maintenance_moves_them() -> None:
    site = Site()
    home, *_ = site.servers
    site.learn(b"abc", home)
    site.pool.apply(home, Event.DRAIN, "")
    assert site.find(b"cart_sid=abc").next(site.routing) is home
    assert home not in {site.find(b"").next(site.routing) for _ in range(9)}
    site.pool.apply(home, Event.MAINTAIN, "")
    assert site.find(b"cart_sid=abc").next(site.routing) is not home


def test_requests_of_one_session_that_fail_over_together_do_not_part_ways() -> None:
    site = Site()
    site.learn(b"abc", site.servers[0])
    site.kill(site.servers[0])
    routes = [site.find(b"cart_sid=abc") for _ in range(6)]
    assert len({route.next(site.routing) for route in routes}) == 1


def test_a_promise_that_nobody_kept_is_void() -> None:
    site = Site()
    site.learn(b"abc", site.servers[0])
    site.kill(site.servers[0])
    route = site.find(b"cart_sid=abc")
    promised = route.next(site.routing)
    assert site.sticky.heir(route) is promised
    site.sticky.abandon(route)
    assert site.sticky.heir(route) is None


def test_a_request_meets_every_server_once_and_then_gives_up() -> None:
    site = Site()
    site.learn(b"abc", site.servers[0])
    route = site.find(b"cart_sid=abc")
    first, *_ = [route.next(site.routing) for _ in site.servers]
    assert first.name == "s1"
    assert set(route.met) == set(site.servers)
    with pytest.raises(Unanswered, match="tried s1, ") as refusal:
        route.next(site.routing)
    assert refusal.value.status == 502


def test_with_no_server_at_all_the_answer_is_503() -> None:
    site = Site()
    for server in site.servers:
        site.kill(server)
    with pytest.raises(Unanswered) as refusal:
        site.find(b"").next(site.routing)
    assert (refusal.value.status, refusal.value.error) == (503, "destination_unavailable")
