"""The judge of carts: history in, ledger out, and nothing asserted that the history does not show.

For each item of a cart, with every idempotency key counted at most once::

    promised = sum of adds that ended ok           the site said it is in the cart
    possible = promised + sum of adds that ended info      it may be in the cart
    wanted   = possible, with every *wish* counted once    what the shopper meant
    promised <= found <= possible                  or a promise was broken

Where something was taken out, ``lab.bounds`` says what that does to the bounds.

| what the final read shows | called | broken promise |
|---|---|---|
| found = promised | kept | no |
| found < promised | lost | yes |
| promised < found <= possible | unknown: only an unanswered add explains it | no |
| found = promised < possible, but an answer on the way lacked some | unknown: stale, or replaced? | no |
| wanted < found <= possible | doubled: the shopper asked again, without a key, and the site did both | no |
| found > possible, as if nothing had been taken out | resurrected: a removal was undone | yes |
| found > possible, and possible > 0 | duplicated | yes |
| found > possible, and possible = 0 | unexpected: never asked for, or refused | yes |
| no final read was answered | unavailable, never lost: nobody looked | cannot tell |

A cart is called what its worst item is called. A cart without any acknowledged add is unknown:
no promise was made, so none can have been kept. An item with nothing promised and nothing found
is not judged.

The bound has one blind spot, as every count has: when a piece is lost and an unanswered add of the
same item took effect, and no answer in between showed the gap, the sum is right again.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from lab.bounds import bounds_of
from lab.history import WRITES, Kind, Operation, Outcome, carts_of
from lab.ledger import SEVERITY, CartResult, ItemResult, Ledger, Quantiles, Status
from lab.sights import is_after, shows, sights
from lab.totals import Totals

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lab.bounds import Bounds
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
    bounds = bounds_of(ops)
    last = next((op for op in reversed(ops) if op.kind is Kind.FINAL_READ and shows(op)), None)
    final = last.cart if last else None
    seen = sights(ops, crash)
    items = tuple(
        _judge_item(
            item, bounds, None if final is None else final.get(item, 0), was_missing=item in seen.missed
        )
        for item in sorted({*bounds.promised, *bounds.possible, *(final or {})})
        if bounds.promised[item] or (final or {}).get(item, 0)
    )
    first = next((op for op in ops if shows(op) and is_after(op, crash)), None)
    return CartResult(
        shopper=shopper,
        status=_worst(items, was_read=final is not None),
        items=items,
        read_at=last.completed if last else None,
        idle=_idle(ops, last),
        home=_home(ops, crash),
        first_missing=seen.missing_since,
        came_back=seen.came_back,
        strangers=tuple(sorted(seen.strangers)),
        resurfaced=tuple(sorted(seen.resurfaced)),
        first_origin=first.origin if first else None,
        first_server=first.server if first else None,
        first_took=first.completed - first.invoked if first and first.completed is not None else None,
        noticed=seen.noticed,
    )


def _judge_item(item: str, bounds: Bounds, found: int | None, *, was_missing: bool) -> ItemResult:
    promised, possible = bounds.promised[item], bounds.possible[item]
    wanted = bounds.wanted[item]
    if found is None:
        status = Status.UNAVAILABLE
    elif found < promised:
        status = Status.LOST
    elif found == promised and not (was_missing and possible > promised):
        status = Status.KEPT
    elif found <= possible:
        status = Status.UNKNOWN if found <= wanted else Status.DOUBLED
    elif found <= bounds.ever[item]:
        status = Status.RESURRECTED
    else:
        status = Status.DUPLICATED if possible else Status.UNEXPECTED
    return _shared(item, promised, possible, found, status, possible - wanted)


#: Very many carts hold the same: fifty thousand of them share a few hundred results.
_shared = lru_cache(maxsize=4096)(ItemResult)


def _worst(items: Sequence[ItemResult], *, was_read: bool) -> Status:
    statuses = {item.status for item in items}
    if not was_read:
        statuses.add(Status.UNAVAILABLE)
    if not any(item.promised or item.status is Status.RESURRECTED for item in items):
        statuses.add(Status.UNKNOWN)
    return next(status for status in SEVERITY if status in statuses)


def _idle(ops: Sequence[Operation], last: Operation | None) -> float | None:
    """For how long nobody had touched the cart when it was read for the judge."""
    touches = [op.completed for op in ops if op.kind is not Kind.FINAL_READ and op.completed is not None]
    return last.invoked - max(touches) if last and touches else None


def _home(ops: Sequence[Operation], crash: Crash | None) -> str | None:
    acknowledged = (op for op in reversed(ops) if op.kind in WRITES and op.outcome is Outcome.OK)
    return next((op.server for op in acknowledged if not is_after(op, crash)), None)
