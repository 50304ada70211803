"""Outlier ejection: who is left out, for how long, and how many at once."""

from __future__ import annotations

import pytest

from lb.outlier import CODE, Limits, Outliers
from lb.pool import Address, Event, Pool, Server, State


class Site:
    def __init__(self, number: int = 3, *, errors: int = 3, gateway: int = 0, percent: int = 10) -> None:
        self.pool = Pool(clock=lambda: 0.0)
        self.servers = [self.pool.add(f"s{n}", Address("127.0.0.1", n)) for n in range(number)]
        for server in self.servers:
            self.pool.apply(server, Event.PASSED, "L7OK")
        self.outliers = Outliers(Limits(errors, gateway, 30, 100, percent), self.pool)

    def answers(self, server: Server, *statuses: int, now: float = 1) -> None:
        for status in statuses:
            self.outliers.on_answer(server, status, now)

    def back_at(self, server: Server, now: float) -> bool:
        self.outliers.go_on(now)
        return server.state is State.UP


def test_errors_in_a_row_eject_a_server_and_one_good_answer_forgives_them() -> None:
    site = Site()
    s1, s2, _ = site.servers
    site.answers(s1, 500, 500, 200, 500, 404, 500)
    assert s1.available(tied=True)
    site.answers(s1, 503)
    site.answers(s2, 500)
    assert s1.available(tied=True)
    site.answers(s1, 500)
    assert (s1.state, s1.code) == (State.EJECTED, CODE)
    assert s1.cause == "3 in a row, last answers of 500: out for 30 s"
    assert not s1.available(tied=True)


def test_a_gateway_failure_is_a_502_503_504_or_no_answer_at_all() -> None:
    site = Site(errors=0, gateway=3)
    s1, s2, _ = site.servers
    site.answers(s1, 502, 503, 500, 504, 502)
    assert s1.available(tied=True), "the 500 was none"
    site.outliers.on_failure(s1, 1)
    assert s1.state is State.EJECTED
    site.answers(s2, *[500] * 9)
    assert s2.state is State.UP


def test_each_ejection_lasts_longer_up_to_a_limit() -> None:
    site = Site()
    s1 = site.servers[0]
    now = 1.0
    for lasts in (30, 60, 90, 100, 100):
        site.answers(s1, 500, 500, 500, now=now)
        assert not site.back_at(s1, now + lasts - 0.1)
        assert site.back_at(s1, now + lasts)
        now += lasts


def test_a_server_that_behaved_is_forgiven_one_ejection_for_each_time() -> None:
    site = Site()
    s1 = site.servers[0]
    site.answers(s1, 500, 500, 500, now=1)
    assert site.back_at(s1, 31)
    site.answers(s1, 500, 500, 500, now=62)
    assert site.back_at(s1, 92)


@pytest.mark.parametrize(("number", "percent", "out"), [(3, 10, 1), (3, 70, 2), (3, 100, 2), (10, 30, 3)])
def test_only_so_many_are_out_at_once_and_never_the_last(number: int, percent: int, out: int) -> None:
    site = Site(number, percent=percent)
    for server in site.servers:
        site.answers(server, 500, 500, 500)
    assert [server.state for server in site.servers].count(State.EJECTED) == out


def test_a_server_that_may_not_be_ejected_is_when_there_is_room() -> None:
    site = Site()
    s1, s2, _ = site.servers
    site.answers(s1, 500, 500, 500)
    site.answers(s2, 500, 500, 500)
    assert s2.available(tied=True)
    site.outliers.go_on(31)
    site.answers(s2, 500, now=32)
    assert s2.state is State.EJECTED


def test_the_operators_word_ends_an_ejection_and_a_failed_check_takes_over() -> None:
    site = Site(percent=100)
    s1, s2, _ = site.servers
    for server in (s1, s2):
        site.answers(server, 500, 500, 500)
    site.pool.apply(s1, Event.READY, "")
    site.pool.apply(s2, Event.FAILED, "L4CON")
    site.outliers.go_on(500)
    assert (s1.state, s2.state) == (State.UP, State.DOWN)
