"""Counting by time: nothing is lost when cells are joined, and a rate is one that was."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some

from lab.view.meter import CELLS, Rate, Strip

moments = some.lists(some.floats(0, 5000, allow_nan=False)).map(sorted)


@given(moments)
def test_a_strip_counts_every_request_and_never_grows_beyond_its_cells(times: list[float]) -> None:
    strip = Strip()
    for at in times:
        strip = strip.hit(at, trouble=int(at) % 3 == 0)
    assert sum(strip.counts) == len(times)
    assert sum(strip.troubles) == sum(int(at) % 3 == 0 for at in times)
    assert len(strip.counts) == len(strip.troubles) <= CELLS


@given(moments.filter(bool))
def test_a_request_stands_in_the_cell_of_its_time(times: list[float]) -> None:
    strip = Strip()
    for at in times:
        strip = strip.hit(at, trouble=False)
    last = int((times[-1] - int(times[0])) / strip.seconds)
    assert strip.counts[last] > 0
    assert not any(strip.counts[last + 1 :])


def test_a_strip_begins_with_the_second_of_its_first_request() -> None:
    strip = Strip().hit(6.9, trouble=False)
    assert (strip.origin, strip.counts) == (6, (0, 0, 0, 1))


def test_an_answer_that_comes_late_counts_where_it_belongs() -> None:
    strip = Strip().hit(0.1, trouble=False).hit(2.0, trouble=False).hit(0.1, trouble=False)
    assert strip.counts[0] == 2


def test_a_strip_without_requests_stays_empty_however_late_it_is() -> None:
    assert Strip().reaching(100.0) == Strip()


def test_a_rate_is_that_of_the_last_full_second() -> None:
    rate = Rate()
    for at in (1.0, 1.2, 1.9, 2.1):
        rate = rate.hit(at)
    assert rate.per_second(2.5) == 3
    assert rate.per_second(3.5) == 1


def test_a_rate_falls_to_zero_when_requests_stop() -> None:
    assert Rate().hit(1.0).per_second(3.0) == 0


def test_a_rate_does_not_take_a_pause_for_the_second_before() -> None:
    rate = Rate().hit(1.0).hit(1.1).hit(1.2).hit(9.0)
    assert rate.per_second(9.5) == 1


def test_nothing_asked_is_no_rate() -> None:
    assert Rate().per_second(0.0) == 0
