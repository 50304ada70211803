"""Who takes a request that is tied to nobody."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from lb.balance import ALGORITHMS, Balance, LeastConn, RoundRobin, TwoDraws
from lb.places import Places
from lb.pool import Address, Event, Pool, Server


def pool_of(*weights: int) -> tuple[Pool, list[Server]]:
    pool = Pool(clock=lambda: 0.0)
    servers = [
        pool.add(f"s{n}", Address("127.0.0.1", 9000 + n), weight) for n, weight in enumerate(weights, 1)
    ]
    for server in servers:
        pool.apply(server, Event.PASSED, "L7OK")
    return pool, servers


def lots() -> Random:
    return Random(1)  # noqa: S311 - no secret hangs on who gets a request


def pick(balance: Balance, pool: Pool, *avoid: Server) -> str:
    server = balance.pick(pool, avoid)
    assert server is not None
    return server.name


def test_round_robin_gives_everybody_a_turn_in_order() -> None:
    pool, _ = pool_of(1, 1, 1)
    balance = RoundRobin()
    assert [pick(balance, pool) for _ in range(6)] == ["s1", "s2", "s3"] * 2


def test_round_robin_follows_weights_and_mixes_the_turns() -> None:
    pool, _ = pool_of(1, 2, 3, 4)
    balance = RoundRobin()
    for _ in range(5):
        ten = Counter(pick(balance, pool) for _ in range(10))
        assert ten == {"s1": 1, "s2": 2, "s3": 3, "s4": 4}


def test_a_server_that_comes_back_is_not_owed_the_turns_it_missed() -> None:
    pool, (s1, *_) = pool_of(1, 1, 1)
    balance = RoundRobin()
    pool.apply(s1, Event.DRAIN, "")
    assert "s1" not in {pick(balance, pool) for _ in range(30)}
    pool.apply(s1, Event.READY, "")
    assert Counter(pick(balance, pool) for _ in range(30)) == {"s1": 10, "s2": 10, "s3": 10}


def test_retries_do_not_disturb_the_turns_of_others() -> None:
    pool, (s1, *_) = pool_of(1, 1, 1)
    balance = RoundRobin()
    counts = Counter(pick(balance, pool, s1) if n % 2 else pick(balance, pool) for n in range(300))
    assert max(counts.values()) - min(counts.values()) <= 2


def test_the_least_busy_server_for_its_weight_is_chosen() -> None:
    pool, (s1, s2, s3) = pool_of(1, 1, 2)
    s1.active, s2.active, s3.active = 2, 1, 2
    assert pick(LeastConn(), pool) == "s3"
    s3.active = 4
    assert pick(LeastConn(), pool) == "s2"


def test_equally_busy_servers_take_turns() -> None:
    pool, _ = pool_of(1, 1, 1)
    balance = LeastConn()
    assert Counter(pick(balance, pool) for _ in range(30)) == {"s1": 10, "s2": 10, "s3": 10}


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_server_that_was_tried_is_not_picked_again(name: str) -> None:
    pool, (s1, s2) = pool_of(1, 1)
    balance = ALGORITHMS[name](lots(), Places("mod", 0, pool))
    assert {pick(balance, pool, s1) for _ in range(5)} == {"s2"}
    assert balance.pick(pool, [s1, s2]) is None


@pytest.mark.parametrize("name", ALGORITHMS)
def test_an_empty_pool_has_nobody_to_pick(name: str) -> None:
    pool, _ = pool_of()
    assert ALGORITHMS[name](lots(), Places("mod", 0, pool)).pick(pool, ()) is None


@pytest.mark.parametrize("name", ALGORITHMS)
def test_drained_and_weightless_servers_take_no_new_requests(name: str) -> None:
    pool, (s1, s2, _) = pool_of(1, 1, 1)
    pool.apply(s1, Event.DRAIN, "")
    pool.weigh(s2, 0)
    balance = ALGORITHMS[name](lots(), Places("mod", 0, pool))
    assert {pick(balance, pool) for _ in range(10)} == {"s3"}


def test_q04_two_draws_never_pick_the_busiest_and_follow_weights() -> None:
    pool, (busy, idle, heavy) = pool_of(1, 1, 4)
    busy.active = 50
    balance = TwoDraws(lots())
    taken = Counter(pick(balance, pool) for _ in range(1000))
    assert "s1" not in taken
    assert taken["s3"] > taken["s2"] > 0
    assert (idle.name, heavy.name) == ("s2", "s3")
