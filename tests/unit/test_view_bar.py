"""A bar is as long as its room, and nobody who counts is left out of it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some

from lab.view.bar import allot

counts = some.lists(some.integers(0, 10_000), min_size=1, max_size=6)


@given(counts.filter(any), some.integers(6, 200))
def test_the_parts_fill_the_bar_exactly(some_counts: list[int], cells: int) -> None:
    assert sum(allot(some_counts, cells)) == cells


@given(counts.filter(any), some.integers(6, 200))
def test_one_cart_of_thousands_is_still_seen_and_no_cart_never(some_counts: list[int], cells: int) -> None:
    for count, given_cells in zip(some_counts, allot(some_counts, cells), strict=True):
        assert (given_cells > 0) == (count > 0)


def test_shares_are_in_proportion() -> None:
    assert allot([200, 100, 0], 30) == [20, 10, 0]


def test_nothing_to_show_is_an_empty_bar() -> None:
    assert allot([0, 0], 30) == [0, 0]
    assert allot([1, 2], 0) == [0, 0]
