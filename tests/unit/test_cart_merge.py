"""What each merge keeps of two carts that went apart, told by small stories and by any two histories."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cart.config import MERGES
from services.cart.model import LINE_MAX
from services.cart.replication.merge import merged, noted
from services.cart.replication.rank import ranked

if TYPE_CHECKING:
    from services.cart.replication.merge import Quantities, Side

#: One step: sku, and its quantity afterwards.
Step = tuple[str, int]


def side(merge: str, start: Side, server: str, *steps: Step) -> Side:
    """What ``server`` makes of a cart; each step is written a second after the last."""
    quantities, trace, written = start
    for sku, quantity in steps:
        after = {name: each for name, each in (quantities | {sku: quantity}).items() if each}
        trace = noted(merge, trace, quantities, after, server)
        quantities, written = after, written + 1
    return quantities, trace, written


def split(merge: str, before: list[Step], here: list[Step], there: list[Step]) -> Quantities:
    common = side(merge, ({}, {}, 0.0), "one", *before)
    one, two = side(merge, common, "one", *here), side(merge, common, "two", *there)
    return merged(merge, one, two)[0]


STORIES = {
    "both add another item": ([], [("tea", 1)], [("jam", 1), ("jam", 2)]),
    "both add one more": ([("tea", 1)], [("tea", 2)], [("tea", 2)]),
    "one takes it out": ([("tea", 1)], [("tea", 0)], []),
    "one takes it out, the other adds one": ([("tea", 1)], [("tea", 0)], [("tea", 2)]),
    "both take it out": ([("tea", 1)], [("tea", 0)], [("tea", 0)]),
    "both take one of three": ([("tea", 3)], [("tea", 2)], [("tea", 2)]),
}
ENDS: dict[str, dict[str, Quantities]] = {
    "both add another item": {
        "lww": {"jam": 2},
        "union": {"tea": 1, "jam": 2},
        "pn-counter": {"tea": 1, "jam": 2},
        "or-map": {"tea": 1, "jam": 2},
    },
    "both add one more": {"union": {"tea": 2}, "pn-counter": {"tea": 3}, "or-map": {"tea": 3}},
    "one takes it out": {"lww": {}, "union": {"tea": 1}, "pn-counter": {}, "or-map": {}},
    "one takes it out, the other adds one": {
        "union": {"tea": 2},
        "pn-counter": {"tea": 1},
        "or-map": {"tea": 1},
    },
    "both take it out": {"lww": {}, "union": {}, "pn-counter": {}, "or-map": {}},
    "both take one of three": {"union": {"tea": 2}, "pn-counter": {"tea": 1}, "or-map": {"tea": 4}},
}


@pytest.mark.parametrize(
    ("story", "merge", "end"),
    [(story, merge, end) for story, ends in ENDS.items() for merge, end in ends.items()],
)
def test_a_split_ends_as_its_merge_says(story: str, merge: str, end: Quantities) -> None:
    assert split(merge, *STORIES[story]) == end


_steps = st.lists(st.tuples(st.sampled_from(["tea", "jam"]), st.integers(0, 9)), max_size=6)


@pytest.mark.parametrize("merge", MERGES)
@given(before=_steps, here=_steps, there=_steps)
def test_it_does_not_matter_who_merges_nor_how_often(
    merge: str, before: list[Step], here: list[Step], there: list[Step]
) -> None:
    common = side(merge, ({}, {}, 0.0), "one", *before)
    one, two = side(merge, common, "one", *here), side(merge, common, "two", *there)
    if one[2] == two[2]:
        two = (two[0], two[1], two[2] + 0.5)
    here_first, there_first = merged(merge, one, two), merged(merge, two, one)
    assert here_first == there_first
    again = merged(merge, (*here_first, max(one[2], two[2])), two)
    assert again[0] == here_first[0]


@pytest.mark.parametrize("merge", ["pn-counter", "or-map"])
@given(before=_steps, after=_steps)
def test_without_a_split_the_trace_says_what_the_cart_says(
    merge: str, before: list[Step], after: list[Step]
) -> None:
    old = side(merge, ({}, {}, 0.0), "one", *before)
    new = side(merge, old, "two", *after)
    assert merged(merge, old, new)[0] == new[0]


def test_no_merge_passes_the_limit_of_a_line() -> None:
    most: list[Step] = [("tea", LINE_MAX)]
    assert split("pn-counter", [], most, most) == {"tea": LINE_MAX}


def test_only_the_sessions_of_who_went_get_another_place() -> None:
    members = ["one", "two", "three", "four"]
    sessions = [f"session-{number}" for number in range(2_000)]
    before = {session: ranked(session, members)[0] for session in sessions}
    after = {session: ranked(session, members[:-1])[0] for session in sessions}
    moved = [session for session in sessions if before[session] != after[session]]
    assert {before[session] for session in moved} == {"four"}
    counts = reduce(
        lambda sums, name: sums | {name: sums[name] + 1}, before.values(), dict.fromkeys(members, 0)
    )
    assert all(400 < count < 600 for count in counts.values())
