"""Carts from which something is taken out again: what may be shown then, and what has come back."""

from __future__ import annotations

import pytest

from lab.history import Kind, Operation, Outcome
from lab.ledger import CartResult, Crash, ItemResult, Status
from lab.oracle import judge
from lab.verdict import Verdict, judge_arm

OK, INFO = Outcome.OK, Outcome.INFO


def act(
    kind: Kind,
    begun: float,
    ended: float,
    item: str | None = "tea",
    n: int = 1,
    outcome: Outcome = OK,
    cart: dict[str, int] | None = None,
    wish: str | None = None,
) -> Operation:
    return Operation(
        "a", 1, kind, begun, begun, ended, outcome, item=item, quantity=n, cart=cart, wish=wish,
        server="server-1" if outcome is OK else None,
    )  # fmt: skip


def add(begun: float, ended: float, n: int = 1, outcome: Outcome = OK, wish: str | None = None) -> Operation:
    return act(Kind.ADD, begun, ended, n=n, outcome=outcome, wish=wish)


def remove(begun: float, ended: float, outcome: Outcome = OK) -> Operation:
    return act(Kind.REMOVE, begun, ended, n=0, outcome=outcome)


def put(begun: float, ended: float, n: int, outcome: Outcome = OK) -> Operation:
    return act(Kind.PUT, begun, ended, n=n, outcome=outcome)


def buy(begun: float, ended: float, outcome: Outcome = OK) -> Operation:
    return act(Kind.CHECKOUT, begun, ended, item=None, n=0, outcome=outcome)


def final(found: int) -> Operation:
    return act(Kind.FINAL_READ, 90, 91, item=None, n=0, cart={"tea": found} if found else {})


def cart(*ops: Operation) -> CartResult:
    (found,) = judge("a", ops).carts
    return found


CASES = {
    "taken out, and gone": ([add(1, 2), remove(3, 4)], 0, None),
    "taken out, and there": ([add(1, 2), remove(3, 4)], 1, Status.RESURRECTED),
    "taken out, and more than ever": ([add(1, 2), remove(3, 4)], 2, Status.UNEXPECTED),
    "taken out, and put in again": ([add(1, 2), remove(3, 4), add(5, 6)], 1, Status.KEPT),
    "put in again, and both are there": ([add(1, 2), remove(3, 4), add(5, 6)], 2, Status.RESURRECTED),
    "put in again, and lost": ([add(1, 2), remove(3, 4), add(5, 6)], 0, Status.LOST),
    "put in while it was taken out, and there": ([add(1, 2), add(3, 5), remove(4, 6)], 1, Status.UNKNOWN),
    "nobody knows whether it was taken out: there": ([add(1, 2), remove(3, 4, INFO)], 1, Status.UNKNOWN),
    "nobody knows whether it was taken out: gone": ([add(1, 2), remove(3, 4, INFO)], 0, None),
    "an add under way may come after the removal": ([add(1, 2, 1, INFO), remove(3, 4)], 1, Status.UNKNOWN),
    "set to three": ([add(1, 2), put(3, 4, 3)], 3, Status.KEPT),
    "set to three, then one more": ([put(3, 4, 3), add(5, 6)], 4, Status.KEPT),
    "set to three, one is there": ([add(1, 2), put(3, 4, 3)], 1, Status.LOST),
    "set to one, two are there": ([add(1, 2, 2), put(3, 4, 1)], 2, Status.RESURRECTED),
    "set twice at once, either may be last": ([put(1, 3, 2), put(2, 4, 5)], 2, Status.KEPT),
    "set twice at once, neither is there": ([put(1, 3, 2), put(2, 4, 5)], 1, Status.LOST),
    "set twice, the first is there": ([put(1, 2, 2), put(3, 4, 5)], 2, Status.LOST),
    "set twice, more than the last": ([put(1, 2, 5), put(3, 4, 2)], 5, Status.RESURRECTED),
    "nobody knows whether it was set": ([add(1, 2, 2), put(3, 4, 7, INFO)], 2, Status.UNKNOWN),
    "bought, and gone": ([add(1, 2), buy(3, 4)], 0, None),
    "bought, and still there": ([add(1, 2), buy(3, 4)], 1, Status.RESURRECTED),
    "put in while it was bought": ([add(1, 2), add(3, 5), buy(4, 6)], 1, Status.UNKNOWN),
    "asked again without a key, and done once": (
        [add(1, 2, 1, INFO, "w"), add(3, 4, 1, OK, "w")], 1, Status.KEPT
    ),
    "asked again without a key, and done twice": (
        [add(1, 2, 1, INFO, "w"), add(3, 4, 1, OK, "w")], 2, Status.DOUBLED
    ),
    "asked again without a key, and done three times": (
        [add(1, 2, 1, INFO, "w"), add(3, 4, 1, OK, "w")], 3, Status.DUPLICATED
    ),
    "two wishes, of which nobody knows one": (
        [add(1, 2, 1, INFO, "v"), add(3, 4, 1, OK, "w")], 2, Status.UNKNOWN
    ),
}  # fmt: skip


@pytest.mark.parametrize(("ops", "found", "status"), CASES.values(), ids=CASES.keys())
def test_an_item_is(ops: list[Operation], found: int, status: Status | None) -> None:
    """None where there is nothing to judge: nothing owed and nothing there."""
    assert next((item.status for item in cart(*ops, final(found)).items), None) is status


def test_pieces_are_counted_exactly_where_the_shopper_asked_twice() -> None:
    twice = [add(1, 2, 2, INFO, "w"), add(3, 4, 2, OK, "w")]
    ledger = judge("a", [*twice, final(4)])
    assert ledger.carts[0].items == (ItemResult("tea", 2, 4, 4, Status.DOUBLED, repeats=2),)
    assert ledger.pieces == {
        "acknowledged": 2, "lost": 0, "duplicated": 0, "doubled": 2, "resurrected": 0
    }  # fmt: skip
    assert judge_arm(ledger, "kept").verdict is Verdict.HELD


def test_what_was_taken_out_and_shows_up_on_the_way_has_resurfaced() -> None:
    seen = act(Kind.READ, 5, 6, item=None, n=0, cart={"tea": 1})
    result = cart(add(1, 2), remove(3, 4), seen, final(0))
    assert (result.resurfaced, result.status) == (("tea",), Status.UNKNOWN)


def test_an_answer_that_overlaps_a_removal_may_show_either() -> None:
    early = act(Kind.READ, 3.5, 3.6, item=None, n=0, cart={"tea": 1})
    late = act(Kind.READ, 3.7, 3.8, item=None, n=0, cart={})
    result = cart(add(1, 2), remove(3, 4), early, late, final(0))
    assert (result.resurfaced, result.first_missing) == ((), None)


def test_an_answer_after_a_removal_owes_the_rest() -> None:
    jam = act(Kind.ADD, 1, 2, "jam")
    empty = act(Kind.READ, 5, 6, item=None, n=0, cart={})
    assert cart(add(1, 2), jam, remove(3, 4), empty, final(0)).first_missing == 6


def test_a_resurrected_item_breaks_a_promise_and_is_the_trace_of_a_split() -> None:
    ledger = judge("a", [add(1, 2), remove(3, 4), final(1)], Crash(2.5, frozenset({"server-1"}), 8.0))
    assert ledger.counts["resurrected"] == 1
    assert "taken out" in judge_arm(ledger, "kept").reason
    assert judge_arm(ledger, "kept").verdict is Verdict.BROKEN
    assert judge_arm(ledger, "diverged").verdict is Verdict.HELD
    assert judge_arm(ledger, "bounded", bound=1).verdict is Verdict.HELD
    assert judge_arm(ledger, "bounded", bound=0).verdict is Verdict.BROKEN
    gone = judge("a", [add(1, 2), remove(3, 4), final(0)])
    assert judge_arm(gone, "diverged").verdict is Verdict.CANNOT_TELL
