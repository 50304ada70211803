"""Hash affinity: which keys move when servers come and go, and how evenly they lie."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from lb.affinity import HashSticky
from lb.balance import Hashed, RoundRobin
from lb.failover import Failover
from lb.hashing import TABLES, Table
from lb.keys import Keys, one_address
from lb.places import Places
from lb.pool import Address, Event, Pool, Server
from lb.refusals import Unanswered
from lb.request import parse_request
from lb.route import Came, Route, Routing
from lb.sticky import NoSticky

KEYS = [b"key-%d" % number for number in range(20_000)]
CONSISTENT = ["ring", "rendezvous", "maglev"]


def servers_of(*names: str) -> list[Server]:
    return [Server(name, Address("127.0.0.1", number)) for number, name in enumerate(names, 1)]


def homes(table: Table) -> list[str]:
    return [next(table.walk(key)).name for key in KEYS]


@pytest.mark.parametrize(("kind", "extra"), [("ring", 0.0), ("rendezvous", 0.0), ("maglev", 0.01)])
def test_h01_when_a_server_goes_only_its_own_keys_move(kind: str, extra: float) -> None:
    servers = servers_of("s1", "s2", "s3", "s4", "s5")
    before, after = homes(TABLES[kind](servers)), homes(TABLES[kind](servers[1:]))
    innocent = sum(a != b for a, b in zip(before, after, strict=True) if a != "s1")
    assert innocent <= extra * len(KEYS)


def test_h01_when_a_server_goes_mod_moves_most_keys_of_the_others_too() -> None:
    servers = servers_of("s1", "s2", "s3", "s4", "s5")
    before, after = homes(TABLES["mod"](servers)), homes(TABLES["mod"](servers[1:]))
    innocent = sum(a != b for a, b in zip(before, after, strict=True) if a != "s1")
    assert 0.5 < innocent / len(KEYS) < 0.7


@pytest.mark.parametrize(("kind", "extra"), [("ring", 0.0), ("rendezvous", 0.0), ("maglev", 0.02)])
def test_h02_a_new_server_takes_its_share_and_nothing_else_moves(kind: str, extra: float) -> None:
    servers = servers_of("s1", "s2", "s3", "s4")
    before, after = homes(TABLES[kind](servers[:3])), homes(TABLES[kind](servers))
    moved = [b for a, b in zip(before, after, strict=True) if a != b]
    assert len(moved) / len(KEYS) <= 1 / 4 + 0.02
    assert len(moved) - Counter(moved)["s4"] <= extra * len(KEYS)


@pytest.mark.parametrize("kind", TABLES)
def test_h03_the_order_of_servers_changes_nothing(kind: str) -> None:
    servers = servers_of("s1", "s2", "s10")
    assert homes(TABLES[kind](servers)) == homes(TABLES[kind](servers[::-1]))


@pytest.mark.parametrize(("kind", "most"), [("ring", 1.1), ("rendezvous", 1.04), ("maglev", 1.04)])
def test_h04_keys_lie_evenly(kind: str, most: float) -> None:
    counts = Counter(homes(TABLES[kind](servers_of("s1", "s2", "s3", "s4", "s5"))))
    assert max(counts.values()) / (len(KEYS) / 5) <= most


@pytest.mark.parametrize("kind", CONSISTENT)
def test_weights_are_shares(kind: str) -> None:
    servers = servers_of("s1", "s2", "s3")
    servers[1].weight, servers[2].weight = 2, 0
    counts = Counter(homes(TABLES[kind](servers)))
    assert counts.keys() == {"s1", "s2"}
    assert 1.8 <= counts["s2"] / counts["s1"] <= 2.2


@pytest.mark.parametrize("kind", TABLES)
def test_a_walk_meets_every_server_once(kind: str) -> None:
    servers = servers_of("s1", "s2", "s3", "s4")
    table = TABLES[kind](servers)
    for key in KEYS[:50]:
        assert sorted(server.name for server in table.walk(key)) == ["s1", "s2", "s3", "s4"]
    assert list(TABLES[kind]([]).walk(b"key")) == []


class Site:
    def __init__(
        self, kind: str = "rendezvous", source: str = "cookie", factor: int = 0, number: int = 3,
        failover: Failover = Failover.REBALANCE,
    ) -> None:  # fmt: skip
        self.pool = Pool(clock=lambda: 0.0)
        self.servers = [self.pool.add(f"s{n}", Address("127.0.0.1", n)) for n in range(1, number + 1)]
        for server in self.servers:
            self.pool.apply(server, Event.PASSED, "L7OK")
        self.places = Places(kind, factor, self.pool)
        self.keys = Keys(source, "cart_sid")
        self.sticky = HashSticky(self.keys, self.places, failover)
        self.routing = Routing(self.pool, self.sticky, RoundRobin(), failover)

    def find(self, *lines: bytes, peer: str = "127.0.0.1") -> Route:
        text = b"".join(line + b"\r\n" for line in lines)
        fields = parse_request(b"GET / HTTP/1.1\r\nHost: shop\r\n" + text).fields
        return self.sticky.find(fields, 0.0, peer)

    def ask(self, *lines: bytes, **more: Any) -> Server:
        return self.find(*lines, **more).next(self.routing)


def cookie(number: int) -> bytes:
    return b"Cookie: cart_sid=%d" % number


@pytest.mark.parametrize("kind", TABLES)
def test_a_session_comes_back_to_the_same_server(kind: str) -> None:
    site = Site(kind)
    first = [site.ask(cookie(n)) for n in range(50)]
    assert [site.ask(b"X-Other: 1", cookie(n)) for n in range(50)] == first
    assert set(first) == set(site.servers)


def test_h05_a_request_without_a_key_is_balanced() -> None:
    site = Site()
    assert [site.ask().name for _ in range(6)] == ["s1", "s2", "s3"] * 2
    assert site.find().came is Came.NONE


@pytest.mark.parametrize("kind", CONSISTENT)
def test_f12_f05_when_a_server_is_down_only_its_keys_leave_and_they_return(kind: str) -> None:
    site = Site(kind)
    before = [site.ask(cookie(n)) for n in range(300)]
    dead = site.servers[0]
    site.pool.apply(dead, Event.FAILED, "L4CON")
    for number, home in enumerate(before):
        route = site.find(cookie(number))
        server = route.next(site.routing)
        if home is dead:
            assert server is not dead
            assert (route.home, route.came, route.left_because) == (dead, Came.DOWN, "down")
        else:
            assert (server, route.home, route.came) == (home, home, Came.VALID)
    site.pool.apply(dead, Event.PASSED, "L7OK")
    assert [site.ask(cookie(n)) for n in range(300)] == before


def test_f12_with_mod_the_sessions_of_servers_that_are_well_move_too() -> None:
    site = Site("mod")
    before = [site.ask(cookie(n)) for n in range(300)]
    dead = site.servers[0]
    site.pool.apply(dead, Event.FAILED, "L4CON")
    routes = [site.find(cookie(n)) for n in range(300)]
    innocent = [route for route, home in zip(routes, before, strict=True) if home is not dead]
    moved = [route for route in innocent if route.next(site.routing) is not route.home]
    assert 0.3 < len(moved) / len(innocent) < 0.7
    assert {route.left_because for route in moved} == {"servers changed"}


def test_a_server_that_fails_within_a_request_is_stood_in_for_by_the_one_that_will_take_its_keys() -> None:
    site = Site()
    route = site.find(cookie(7))
    dead = route.next(site.routing)
    stand_in = route.next(site.routing)
    site.pool.apply(dead, Event.FAILED, "L4CON")
    assert site.ask(cookie(7)) is stand_in is not dead


def test_a_draining_server_loses_its_keys_and_strict_keeps_to_a_dead_one() -> None:
    site = Site()
    home = site.ask(cookie(1))
    site.pool.apply(home, Event.DRAIN, "drain")
    assert site.ask(cookie(1)) is not home
    strict = Site(failover=Failover.STRICT)
    strict.pool.apply(strict.ask(cookie(1)), Event.FAILED, "L4CON")
    with pytest.raises(Unanswered):
        strict.ask(cookie(1))


def test_h06_behind_one_address_everybody_has_the_same_server() -> None:
    site = Site(source="address")
    assert len({site.ask(cookie(n), peer="10.0.0.1") for n in range(50)}) == 1
    assert len({site.ask(peer=f"10.0.0.{n}") for n in range(50)}) == 3


def test_a_header_can_be_the_key() -> None:
    site = Site(source="header:X-Tenant")
    assert site.ask(b"X-Tenant: a") is site.ask(b"x-tenant:  a  ", cookie(3))
    assert len({site.ask(b"X-Tenant: %d" % n) for n in range(50)}) == 3
    assert site.find(b"X-Tenant-Id: a").came is Came.NONE


def test_h07_a_hot_key_spills_over_its_bound_and_cold_keys_stay() -> None:
    site = Site(factor=125)
    cold = {number: site.ask(cookie(number)) for number in range(30)}
    reasons = set()
    for _ in range(300):
        route = site.find(cookie(0))
        route.next(site.routing).active += 1
        reasons.add(route.left_because)
        in_flight = sum(server.active for server in site.servers)
        assert max(server.active for server in site.servers) <= -(-125 * in_flight // 300)
    assert reasons == {"", "busy"}
    least = min(site.servers, key=lambda server: server.active)
    unbothered = [number for number, home in cold.items() if home is least]
    assert {site.ask(cookie(number)) for number in unbothered} == {least}


@pytest.mark.parametrize(
    ("one", "other"),
    [("127.0.0.1", "::ffff:127.0.0.1"), ("2001:db8::1", "2001:0db8:0:0::1"), ("fe80::1%a", "fe80::1")],
)
def test_h09_an_address_is_the_same_in_any_clothes(one: str, other: str) -> None:
    assert one_address(one) == one_address(other) is not None
    assert one_address("unknown") is None


class Untied(Site):
    """Nobody is tied; the balance hashes."""

    def __init__(self, kind: str = "rendezvous", source: str = "address", factor: int = 0) -> None:
        super().__init__(kind, source, factor)
        balance = Hashed(self.places)
        self.routing = Routing(self.pool, NoSticky(), balance, Failover.REBALANCE, self.keys)

    def find(self, *lines: bytes, peer: str = "127.0.0.1") -> Route:
        text = b"".join(line + b"\r\n" for line in lines)
        fields = parse_request(b"GET / HTTP/1.1\r\nHost: shop\r\n" + text).fields
        return self.routing.find(fields, 0.0, peer)


@pytest.mark.parametrize("kind", TABLES)
def test_untied_requests_with_one_key_meet_one_server(kind: str) -> None:
    site = Untied(kind)
    first = [site.ask(peer=f"10.0.0.{n}") for n in range(50)]
    assert [site.ask(peer=f"10.0.0.{n}") for n in range(50)] == first
    assert set(first) == set(site.servers)


def test_untied_requests_without_a_key_take_turns() -> None:
    site = Untied(source="cookie")
    assert [site.ask().name for _ in range(6)] == ["s1", "s2", "s3"] * 2


def test_an_untied_request_that_failed_goes_to_the_next_on_its_keys_way() -> None:
    site = Untied()
    route = site.find()
    dead = route.next(site.routing)
    stand_in = route.next(site.routing)
    assert stand_in is not dead
    site.pool.apply(dead, Event.FAILED, "L4CON")
    assert site.ask() is stand_in


def test_h07_a_hot_key_is_bounded_among_untied_requests_too() -> None:
    site = Untied(factor=125)
    for _ in range(30):
        site.ask().active += 1
    assert max(server.active for server in site.servers) <= 13
    assert sum(server.active for server in site.servers) == 30


@pytest.mark.parametrize("kind", TABLES)
def test_keys_have_a_place_among_the_backups_too(kind: str) -> None:
    pool = Pool(clock=lambda: 0.0, all_backups=True)
    servers = [pool.add(f"s{n}", Address("127.0.0.1", n), backup=n > 1) for n in range(1, 5)]
    for server in servers:
        pool.apply(server, Event.PASSED, "L7OK")
    places = Places(kind, 0, pool)
    assert {places.first(key) for key in KEYS[:50]} == {(servers[0], servers[0])}
    pool.apply(servers[0], Event.FAILED, "L4CON")
    found = [places.first(key)[1] for key in KEYS[:50]]
    assert set(found) == set(servers[1:])
    assert [places.first(key)[1] for key in KEYS[:50]] == found
