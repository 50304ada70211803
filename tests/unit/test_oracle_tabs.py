"""Several tabs of one shopper on one cart: what each answer must show, and what nobody can blame."""

from __future__ import annotations

import pytest

from lab.history import Kind, Operation, Outcome
from lab.ledger import CartResult, Crash, Status
from lab.oracle import judge
from lab.verdict import Verdict, judge_arm


def add(begun: float, ended: float, shown: int, outcome: Outcome = Outcome.OK) -> Operation:
    cart = {"tea": shown} if outcome is Outcome.OK else None
    return Operation("a", 1, Kind.ADD, begun, begun, ended, outcome, item="tea", quantity=1, cart=cart)


def read(begun: float, ended: float, shown: int, kind: Kind = Kind.READ) -> Operation:
    return Operation("a", 1, kind, begun, begun, ended, Outcome.OK, cart={"tea": shown})


def final(shown: int, at: float = 9.0) -> Operation:
    return read(at, at + 0.1, shown, Kind.FINAL_READ)


def cart(*operations: Operation) -> CartResult:
    (found,) = judge("a", operations).carts
    return found


def test_an_answer_owes_nothing_that_was_acknowledged_while_it_was_under_way() -> None:
    result = cart(add(1.0, 2.0, 1), read(1.5, 1.6, 0), final(1))
    assert (result.status, result.first_missing, result.came_back) == (Status.KEPT, None, False)


def test_an_answer_owes_everything_that_was_acknowledged_before_it_was_asked_for() -> None:
    result = cart(add(1.0, 2.0, 1), read(2.5, 2.6, 0), final(1))
    assert (result.status, result.came_back) == (Status.KEPT, True)


def test_two_adds_at_once_need_not_show_each_other() -> None:
    result = cart(add(1.0, 2.0, 1), add(1.1, 1.9, 1), final(2))
    assert (result.status, result.came_back) == (Status.KEPT, False)


def test_an_update_that_another_one_overwrote_is_lost_though_both_were_acknowledged() -> None:
    result = cart(add(1.0, 2.0, 1), add(1.1, 1.9, 1), final(1))
    assert (result.status, result.items[0].promised, result.items[0].found) == (Status.LOST, 2, 1)


def test_more_than_all_tabs_together_added_is_a_duplicate() -> None:
    assert cart(add(1.0, 2.0, 1), add(1.1, 1.9, 2), final(3)).status is Status.DUPLICATED


def test_an_add_that_nobody_answered_in_one_tab_excuses_one_piece_and_no_second() -> None:
    lost = add(1.1, 1.9, 0, Outcome.INFO)
    assert cart(add(1.0, 2.0, 1), lost, final(2)).status is Status.UNKNOWN
    assert cart(add(1.0, 2.0, 1), lost, final(3)).status is Status.DUPLICATED


@pytest.mark.parametrize(
    ("expected", "shown", "bound", "verdict"),
    [
        ("lost", 1, None, Verdict.HELD),
        ("lost", 2, None, Verdict.CANNOT_TELL),
        ("bounded", 2, 0, Verdict.HELD),
        ("bounded", 1, 1, Verdict.HELD),
        ("bounded", 1, 0, Verdict.BROKEN),
        ("kept", 1, None, Verdict.BROKEN),
    ],
)
def test_what_a_design_loses_by_itself_is_judged_against_what_it_said(
    expected: str, shown: int, bound: int | None, verdict: Verdict
) -> None:
    ledger = judge("a", [add(1.0, 2.0, 1), add(2.1, 2.9, 2), final(shown)])
    assert judge_arm(ledger, expected, bound=bound).verdict is verdict


def test_pieces_of_one_item_may_be_one_lost_change_or_several_so_a_bound_between_cannot_tell() -> None:
    ledger = judge("a", [add(1.0, 2.0, 1), add(2.1, 2.9, 2), final(0)])
    assert judge_arm(ledger, "bounded", bound=1).verdict is Verdict.CANNOT_TELL


@pytest.mark.parametrize(
    ("idle_shows", "busy_shows", "verdict"),
    [(0, 1, Verdict.HELD), (1, 1, Verdict.BROKEN), (0, 0, Verdict.BROKEN)],
)
def test_only_a_cart_that_nobody_touched_may_expire(
    idle_shows: int, busy_shows: int, verdict: Verdict
) -> None:
    busy = [add(1.0, 1.1, 1), read(8.0, 8.1, 1), final(busy_shows)]
    idle = [
        Operation("a", 2, op.kind, op.intended, op.invoked, op.completed, op.outcome, op.item, op.quantity,
                  cart=op.cart)
        for op in (add(1.0, 1.1, 1), final(idle_shows))
    ]  # fmt: skip
    assert judge_arm(judge("a", [*busy, *idle]), "expired", ttl=2.0).verdict is verdict


def test_without_its_store_every_cart_is_at_risk_and_none_is_elsewhere() -> None:
    crash = Crash(5.0, frozenset(), healed=6.0, store=True)
    ledger = judge("a", [add(1.0, 1.1, 1), final(0)], crash)
    assert (len(ledger.at_risk), len(ledger.others)) == (1, 0)
    assert judge_arm(ledger, "lost").verdict is Verdict.HELD
