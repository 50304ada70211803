"""What may be in a cart after a stretch of history: least and most pieces of each item. Pure.

With adds alone it is a sum: those that ended ok are in, those that ended info may be. Whatever takes
something out (remove, put, checkout: a *wipe*) makes the order matter, and of two operations that
overlapped nobody knows the order. So an add counts

* towards the least only if it was sent after every wipe of its item had been answered;
* towards the most unless a wipe that ended ok was sent after its own answer.

A put is a wipe that leaves its quantity behind; which wipe was the last is known as far as they did
not overlap. One that ended info may still happen at any time, as an add may.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

from lab.history import TAKES_OUT, Kind, Operation, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_CERTAINTY = (Outcome.OK, Outcome.INFO, Outcome.FAIL)


@dataclass(frozen=True, slots=True)
class Bounds:
    """Pieces by item: ``promised`` to ``possible``.

    ``wanted`` is what would be possible if every wish had been carried out once, ``ever`` what would be
    if nothing had been taken out.
    """

    promised: Counter[str]
    possible: Counter[str]
    wanted: Counter[str]
    ever: Counter[str]


@dataclass(frozen=True, slots=True)
class _Change:
    """One or several tries of one change; ``ended`` is endless for one that may still happen."""

    kind: Kind
    item: str | None
    quantity: int
    is_sure: bool
    begun: float
    ended: float

    def surely_before(self, other: _Change) -> bool:
        return self.ended <= other.begun


def bounds_of(ops: Iterable[Operation]) -> Bounds:
    """``ops`` of one cart, in any order."""
    writes = [op for op in ops if op.kind is Kind.ADD or op.kind in TAKES_OUT]
    changes = _changes(writes, key_of)
    promised, ever = _sums(changes)
    possible, wanted = ever, ever
    if any(op.wish for op in writes):
        wanted = _sums(_changes(writes, _wish_of))[1]
    wipes = [change for change in changes if change.kind in TAKES_OUT]
    if wipes:
        promised, possible = _with_wipes(changes, wipes, {*ever, *(w.item for w in wipes if w.item)})
        wanted = possible
    return Bounds(promised, possible, wanted, ever)


def key_of(op: Operation) -> object:
    """Tries with one key are one change."""
    return op.key or id(op)


def _wish_of(op: Operation) -> object:
    return op.wish or key_of(op)


def _changes(writes: Sequence[Operation], name_of: Callable[[Operation], object]) -> list[_Change]:
    """Each once, as its surest try knows it; those that surely did not happen are left out."""
    surest: dict[object, Operation] = {}
    begun: dict[object, float] = {}
    for op in writes:
        name = name_of(op)
        surest[name] = min(surest.get(name, op), op, key=lambda op: _CERTAINTY.index(op.outcome))
        begun[name] = min(begun.get(name, op.invoked), op.invoked)
    return [
        _Change(
            kind=op.kind,
            item=op.item,
            quantity=op.quantity,
            is_sure=op.outcome is Outcome.OK,
            begun=begun[name],
            ended=op.completed if op.outcome is Outcome.OK and op.completed is not None else inf,
        )
        for name, op in surest.items()
        if op.outcome is not Outcome.FAIL
    ]


def _sums(changes: Iterable[_Change]) -> tuple[Counter[str], Counter[str]]:
    """Promised and possible, were there no wipes. What a put leaves may have been there, too."""
    promised: Counter[str] = Counter()
    possible: Counter[str] = Counter()
    for change in changes:
        if change.item is not None and change.kind in (Kind.ADD, Kind.PUT):
            possible[change.item] += change.quantity
            promised[change.item] += change.quantity if change.is_sure else 0
    return promised, possible


def _with_wipes(
    changes: Sequence[_Change], wipes: Sequence[_Change], items: Iterable[str]
) -> tuple[Counter[str], Counter[str]]:
    promised: Counter[str] = Counter()
    possible: Counter[str] = Counter()
    for item in items:
        its = [wipe for wipe in wipes if wipe.item in (item, None)]
        sure = [wipe for wipe in its if wipe.is_sure]
        left = [_left_by(w) for w in its if not any(w.surely_before(other) for other in sure)]
        promised[item] = min(left) if sure else 0
        possible[item] = max(left, default=0)
        for add in changes:
            if add.kind is Kind.ADD and add.item == item:
                if add.is_sure and all(wipe.surely_before(add) for wipe in its):
                    promised[item] += add.quantity
                if not any(add.surely_before(wipe) for wipe in sure):
                    possible[item] += add.quantity
    return promised, possible


def _left_by(wipe: _Change) -> int:
    return wipe.quantity if wipe.kind is Kind.PUT else 0
