"""Slow start: who warms up, how fast, and that turns stay smooth meanwhile."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from random import Random

import pytest

from lb.balance import ALGORITHMS, RoundRobin
from lb.places import Places
from lb.pool import Address, Event, Pool, Server
from lb.slowstart import LEAST, SlowStart


class Site:
    """Two servers that were there from the beginning, and one that comes up at 100 s."""

    def __init__(self, seconds: float = 10, weight: int = 1) -> None:
        self.pool = Pool(clock=lambda: 0.0)
        self.slow = SlowStart(seconds)
        self.servers = [self.pool.add(f"s{n}", Address("127.0.0.1", n), weight) for n in (1, 2, 3)]
        for server in self.servers[:2]:
            self.slow.exempt(server)
            self.tell(server, Event.PASSED, 0)
        self.late = self.servers[2]
        self.tell(self.late, Event.PASSED, 100)

    def tell(self, server: Server, event: Event, now: float) -> None:
        change = self.pool.apply(server, event, "")
        assert change is not None
        self.slow.on_change(change, now)


def test_a_server_that_was_there_at_the_start_has_its_whole_weight_at_once() -> None:
    assert [server.pace for server in Site(seconds=1000).servers[:2]] == [1, 1]


@pytest.mark.parametrize(("after", "part"), [(0, LEAST), (0.5, LEAST), (3, 0.3), (5, 0.5), (10, 1), (99, 1)])
def test_a_server_that_comes_up_gets_its_weight_in_a_straight_line(after: float, part: float) -> None:
    site = Site(weight=4)
    site.slow.go_on(100 + after)
    assert site.late.pace == pytest.approx(4 * part)


def test_a_server_that_was_down_warms_up_again_even_if_it_was_there_at_the_start() -> None:
    site = Site()
    first = site.servers[0]
    site.tell(first, Event.FAILED, 200)
    site.tell(first, Event.PASSED, 210)
    assert first.pace == LEAST


def test_a_server_that_was_only_drained_is_warm() -> None:
    site = Site()
    first = site.servers[0]
    site.tell(first, Event.DRAIN, 200)
    site.tell(first, Event.READY, 210)
    assert first.pace == 1


def test_one_that_goes_down_while_warming_up_begins_anew() -> None:
    site = Site()
    site.slow.go_on(105)
    site.tell(site.late, Event.FAILED, 106)
    site.tell(site.late, Event.PASSED, 107)
    site.slow.go_on(110)
    assert site.late.pace == pytest.approx(0.3)


def test_without_slow_start_everybody_has_the_whole_weight() -> None:
    assert Site(seconds=0).late.pace == 1


def test_a_weight_changed_meanwhile_is_the_one_that_is_reached() -> None:
    site = Site()
    site.pool.weigh(site.late, 8)
    site.slow.go_on(105)
    assert site.late.pace == pytest.approx(4)


def test_d05_round_robin_gives_a_cold_server_its_part_and_spreads_it_out() -> None:
    site = Site()
    balance = RoundRobin()
    site.slow.go_on(105)
    picks = [server.name for _ in range(500) if (server := balance.pick(site.pool, ())) is not None]
    counts = Counter(picks)
    assert abs(counts["s1"] - counts["s2"]) <= 1
    assert counts["s3"] == pytest.approx(100, abs=2)
    turns = [number for number, name in enumerate(picks) if name == "s3"]
    assert {b - a for a, b in pairwise(turns)} <= {4, 5, 6}


@pytest.mark.parametrize("name", ["leastconn", "random"])
def test_other_ways_to_balance_heed_the_pace_too(name: str) -> None:
    site = Site()
    balance = ALGORITHMS[name](Random(1), Places("mod", 0, site.pool))  # noqa: S311 - no secret hangs on it
    counts: Counter[str] = Counter()
    for _ in range(300):
        server = balance.pick(site.pool, ())
        assert server is not None
        server.active += 1
        counts[server.name] += 1
    assert counts["s3"] < 60
