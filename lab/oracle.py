"""The judge of carts: history in, ledger out, and nothing asserted that the history does not show.

For each item of a cart, with every idempotency key counted at most once::

    promised = sum of adds that ended ok           the site said it is in the cart
    possible = promised + sum of adds that ended info      it may be in the cart
    promised <= found <= possible                  or a promise was broken

| what the final read shows | called | broken promise |
|---|---|---|
| found = promised | kept | no |
| found < promised | lost | yes |
| promised < found <= possible | unknown: only an unanswered add explains it | no |
| found = promised < possible, but an answer on the way lacked some | unknown: stale, or replaced? | no |
| found > possible, and possible > 0 | duplicated | yes |
| found > possible, and possible = 0 | unexpected: never asked for, or refused | yes |
| no final read was answered | unavailable, never lost: nobody looked | cannot tell |

A cart is called what its worst item is called. A cart without any acknowledged add is unknown:
no promise was made, so none can have been kept. An item with nothing promised and nothing found
is not judged.

The bound has one blind spot, as every count has: when a piece is lost and an unanswered add of the
same item took effect, and no answer in between showed the gap, the sum is right again.

Each answer must show everything that was acknowledged before its request was sent, in whichever
tab. An answer that lacks some is the first sight of a loss, or, when a later answer has it again, a
stale read.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.history import Kind, Operation, Outcome, carts_of
from lab.ledger import SEVERITY, CartResult, ItemResult, Ledger, Quantiles, Status
from lab.totals import Totals

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lab.ledger import Crash


def judge(arm: str, operations: Iterable[Operation], crash: Crash | None = None) -> Ledger:
    """The ledger of ``arm``; operations of other arms are passed over, their order does not matter."""
    return judge_carts(arm, carts_of(op for op in operations if op.arm == arm), crash)


def judge_carts(arm: str, carts: Iterable[Sequence[Operation]], crash: Crash | None = None) -> Ledger:
    """The same, of operations that stand cart by cart: one cart at a time is all that is held of them."""
    results: list[CartResult] = []
    totals = Totals(crash)
    for ops in carts:
        results.append(_judge_cart(ops[0].shopper, ops, crash))
        totals.add(ops)
    return Ledger(
        arm=arm,
        crash=crash,
        carts=tuple(results),
        operations={outcome: totals.outcomes[outcome] for outcome in Outcome},
        errors=totals.errors,
        answered_elsewhere=totals.elsewhere,
        latency=Quantiles.of(totals.latencies),
        writes=Quantiles.of(totals.writes),
        reads=Quantiles.of(totals.reads),
        recovery=totals.recovery,
    )


def _judge_cart(shopper: int, ops: Sequence[Operation], crash: Crash | None) -> CartResult:
    promised, possible = _bounds(ops)
    last = next((op for op in reversed(ops) if op.kind is Kind.FINAL_READ and _shows(op)), None)
    final = last.cart if last else None
    sights = _sights(ops, crash)
    items = tuple(
        _judge_item(
            item,
            promised[item],
            possible[item],
            None if final is None else final.get(item, 0),
            was_missing=item in sights.missed,
        )
        for item in sorted({*promised, *possible, *(final or {})})
        if promised[item] or (final or {}).get(item, 0)
    )
    first = next((op for op in ops if _shows(op) and _is_after(op, crash)), None)
    return CartResult(
        shopper=shopper,
        status=_worst(items, was_read=final is not None),
        items=items,
        read_at=last.completed if last else None,
        idle=_idle(ops, last),
        home=_home(ops, crash),
        first_missing=sights.missing_since,
        came_back=sights.came_back,
        strangers=tuple(sorted(sights.strangers)),
        first_origin=first.origin if first else None,
        first_server=first.server if first else None,
        noticed=sights.noticed,
    )


def _bounds(ops: Sequence[Operation]) -> tuple[Counter[str], Counter[str]]:
    """Promised and possible pieces of each item. Several tries with one key are one add."""
    adds: dict[object, Operation] = {}
    for number, op in enumerate(ops):
        if op.kind is Kind.ADD:
            name = op.key or number
            adds[name] = min(adds.get(name, op), op, key=lambda op: _CERTAINTY.index(op.outcome))
    promised: Counter[str] = Counter()
    possible: Counter[str] = Counter()
    for op in adds.values():
        if op.outcome is not Outcome.FAIL and op.item is not None:
            possible[op.item] += op.quantity
            promised[op.item] += op.quantity if op.outcome is Outcome.OK else 0
    return promised, possible


_CERTAINTY = (Outcome.OK, Outcome.INFO, Outcome.FAIL)


def _judge_item(
    item: str, promised: int, possible: int, found: int | None, *, was_missing: bool
) -> ItemResult:
    if found is None:
        status = Status.UNAVAILABLE
    elif found < promised:
        status = Status.LOST
    elif found == promised and not (was_missing and possible > promised):
        status = Status.KEPT
    elif found <= possible:
        status = Status.UNKNOWN
    else:
        status = Status.DUPLICATED if possible else Status.UNEXPECTED
    return ItemResult(item, promised, possible, found, status)


def _worst(items: Sequence[ItemResult], *, was_read: bool) -> Status:
    statuses = {item.status for item in items}
    if not was_read:
        statuses.add(Status.UNAVAILABLE)
    if not any(item.promised for item in items):
        statuses.add(Status.UNKNOWN)
    return next(status for status in SEVERITY if status in statuses)


@dataclass(slots=True)
class _Sights:
    """What a shopper's answers showed on the way, see ``CartResult``."""

    missing_since: float | None = None
    came_back: bool = False
    noticed: float | None = None
    missed: frozenset[str] = frozenset()
    strangers: frozenset[str] = frozenset()


def _sights(ops: Sequence[Operation], crash: Crash | None) -> _Sights:
    """``ops`` in the order in which they were sent."""
    seen = _Sights()
    promised: Counter[str] = Counter()
    counted: set[object] = set()
    acknowledged = deque(sorted((op for op in ops if _is_promise(op)), key=lambda op: op.completed or 0))
    for op in ops:
        while acknowledged and (acknowledged[0].completed or 0) <= op.invoked:
            _promise(acknowledged.popleft(), promised, counted)
        shown = op.cart or {}
        due = promised
        if _is_promise(op) and _name(op) not in counted:
            due = promised + Counter({op.item or "": op.quantity})
        short = {item for item, n in due.items() if _shows(op) and shown.get(item, 0) < n}
        is_trouble = (bool(short) or op.is_visible_error) and op.kind is not Kind.FINAL_READ
        if is_trouble and seen.noticed is None and _is_after(op, crash):
            seen.noticed = op.completed
        if short and seen.missing_since is None:
            seen.missing_since = op.completed
        elif _shows(op) and not short and seen.missing_since is not None:
            seen.missing_since, seen.came_back = None, True
        seen.missed |= short
        asked = {other.item for other in ops if other.invoked <= (op.completed or op.invoked)}
        seen.strangers |= shown.keys() - asked
    return seen


def _is_promise(op: Operation) -> bool:
    return op.kind is Kind.ADD and op.outcome is Outcome.OK


def _name(op: Operation) -> object:
    """Tries with one key are one add."""
    return op.key or id(op)


def _promise(op: Operation, promised: Counter[str], counted: set[object]) -> None:
    if _name(op) not in counted:
        counted.add(_name(op))
        promised[op.item or ""] += op.quantity


def _idle(ops: Sequence[Operation], last: Operation | None) -> float | None:
    """For how long nobody had touched the cart when it was read for the judge."""
    touches = [op.completed for op in ops if op.kind is not Kind.FINAL_READ and op.completed is not None]
    return last.invoked - max(touches) if last and touches else None


def _home(ops: Sequence[Operation], crash: Crash | None) -> str | None:
    acknowledged = (op for op in reversed(ops) if op.kind is Kind.ADD and op.outcome is Outcome.OK)
    return next((op.server for op in acknowledged if not _is_after(op, crash)), None)


def _is_after(op: Operation, crash: Crash | None) -> bool:
    """Whether ``op`` ended after the crash.

    Whatever the crashed server itself still answered came before its end, even when the order to
    die had been given already: ``POST /crash`` leaves it a second.
    """
    if crash is None or op.completed is None or op.completed <= crash.at:
        return False
    was_dying = op.server in crash.servers and (crash.healed is None or op.completed < crash.healed)
    return not was_dying


def _shows(op: Operation) -> bool:
    return op.outcome is Outcome.OK and op.cart is not None
