"""What a shopper's answers showed on the way: the first gap, a stale read, something that came back. Pure.

Each answer must show everything that was acknowledged before its request was sent, in whichever
tab. An answer that lacks some is the first sight of a loss, or, when a later answer has it again, a
stale read. An answer that shows what had surely been taken out before shows it *resurfaced*.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lab.bounds import bounds_of, key_of
from lab.history import TAKES_OUT, WRITES, Kind, Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.history import Operation
    from lab.ledger import Crash


@dataclass(slots=True)
class Sights:
    """See ``lab.ledger.CartResult``; ``missed`` are the items that any answer lacked."""

    missing_since: float | None = None
    came_back: bool = False
    noticed: float | None = None
    missed: frozenset[str] = frozenset()
    strangers: frozenset[str] = frozenset()
    resurfaced: frozenset[str] = frozenset()


def sights(ops: Sequence[Operation], crash: Crash | None) -> Sights:
    """``ops`` in the order in which they were sent."""
    seen = Sights()
    debts = _Debts(ops)
    for op in ops:
        due = debts.at(op)
        shown = op.cart or {}
        short = {item for item, n in due.items() if shows(op) and shown.get(item, 0) < n}
        back = debts.resurfaced(op)
        is_trouble = (bool(short or back) or op.is_visible_error) and op.kind is not Kind.FINAL_READ
        if is_trouble and seen.noticed is None and is_after(op, crash):
            seen.noticed = op.completed
        if short and seen.missing_since is None:
            seen.missing_since = op.completed
        elif shows(op) and not short and seen.missing_since is not None:
            seen.missing_since, seen.came_back = None, True
        seen.missed |= short
        seen.resurfaced |= back
        asked = {other.item for other in ops if other.invoked <= (op.completed or op.invoked)}
        seen.strangers |= shown.keys() - asked
    return seen


class _Debts:
    """What each answer owes. Of carts from which nothing is ever taken it is a running sum."""

    def __init__(self, ops: Sequence[Operation]) -> None:
        self._ops = ops
        self._takes_out = any(op.kind in TAKES_OUT for op in ops)
        self._promised: Counter[str] = Counter()
        self._counted: set[object] = set()
        self._acknowledged = deque(
            sorted((op for op in ops if _is_promise(op)), key=lambda op: op.completed or 0)
        )

    def at(self, op: Operation) -> Counter[str]:
        if self._takes_out:
            return bounds_of(self._known_to(op)).promised if shows(op) else Counter()
        while self._acknowledged and (self._acknowledged[0].completed or 0) <= op.invoked:
            self._count(self._acknowledged.popleft())
        if _is_promise(op) and key_of(op) not in self._counted:
            return self._promised + Counter({op.item or "": op.quantity})
        return self._promised

    def resurfaced(self, op: Operation) -> set[str]:
        if not self._takes_out or not shows(op):
            return set()
        bounds = bounds_of(self._known_to(op))
        return {item for item, n in (op.cart or {}).items() if bounds.possible[item] < n <= bounds.ever[item]}

    def _known_to(self, op: Operation) -> list[Operation]:
        """What may have happened before this answer; of others' work under way nobody knows."""
        end = op.completed or op.invoked
        return [
            other
            if other is op or (other.completed or end) <= op.invoked
            else replace(other, outcome=Outcome.INFO)
            for other in self._ops
            if other.invoked <= end and other.kind in WRITES and other.outcome is not Outcome.FAIL
        ]

    def _count(self, op: Operation) -> None:
        if key_of(op) not in self._counted:
            self._counted.add(key_of(op))
            self._promised[op.item or ""] += op.quantity


def _is_promise(op: Operation) -> bool:
    return op.kind is Kind.ADD and op.outcome is Outcome.OK


def is_after(op: Operation, crash: Crash | None) -> bool:
    """Whether ``op`` ended after the crash.

    Whatever the crashed server itself still answered came before its end, even when the order to
    die had been given already: ``POST /crash`` leaves it a second.
    """
    if crash is None or op.completed is None or op.completed <= crash.at:
        return False
    was_dying = op.server in crash.servers and (crash.healed is None or op.completed < crash.healed)
    return not was_dying


def shows(op: Operation) -> bool:
    return op.outcome is Outcome.OK and op.cart is not None
