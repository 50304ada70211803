"""The smallest story that shows a breach: the operations that matter, and the faults around them. Pure.

Of the cart's operations those stay that asked for the broken item, and those whose answer showed
another number of it than the one before: with them the oracle finds the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.history import Kind, Outcome
from lab.ledger import BALANCER, STORE
from lab.soak.breach import MEANINGS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lab.history import Operation
    from lab.soak.breach import Breach
    from lab.timeline import Interval

_KEY_SHOWN = 8


def story(breach: Breach, ops: Sequence[Operation], faults: Sequence[Interval]) -> list[str]:
    """Lines in order of time, each with its second in the soak; the last says what was promised."""
    kept = list(_telling(ops, breach.item))
    told = [(op.invoked, _said(op, breach.item)) for op in kept]
    for fault in _around(kept, faults):
        told.append((fault.begin, f"{fault.fault} of {fault.target} begins"))
        told += [(fault.end, f"{fault.fault} of {fault.target} is healed")] if fault.end else []
    return [*(f"{at:8.3f} s  {text}" for at, text in sorted(told)), _sum(breach)]


def _around(ops: Sequence[Operation], faults: Sequence[Interval]) -> Iterator[Interval]:
    """The faults meanwhile; of those on servers, only on who answered, unless none of them was hit."""
    if not ops:
        return
    begin, end = ops[0].invoked, max(op.completed or op.invoked for op in ops)
    meanwhile = [each for each in faults if each.begin <= end and (each.end is None or each.end >= begin)]
    hit = {op.server for op in ops} & {each.target for each in meanwhile}
    yield from (
        each for each in meanwhile if not hit or each.target in hit or each.target in (STORE, BALANCER)
    )


def _telling(ops: Sequence[Operation], item: str | None) -> Iterator[Operation]:
    shown: int | None = None
    for op in ops:
        now = op.cart.get(item or "", 0) if op.cart is not None else shown
        asks = op.kind is Kind.ADD and op.outcome is not Outcome.FAIL and (item is None or op.item == item)
        if asks or now != shown or item is None or op is ops[-1]:
            yield op
        shown = now


def _said(op: Operation, item: str | None) -> str:
    who = f"shopper {op.shopper}"
    did = {
        Kind.ADD: f"adds {op.quantity} {op.item}",
        Kind.READ: "looks into the cart",
        Kind.FINAL_READ: "looks for the last time",
    }[op.kind]
    key = f" (key {op.key[:_KEY_SHOWN]})" if op.key else ""
    if op.outcome is not Outcome.OK:
        return f"{who} {did}{key}: {op.outcome}, {op.error or 'no answer'}"
    took = f" after {op.completed - op.invoked:.3f} s" if op.completed is not None else ""
    cart = op.cart or {}
    shows = f"{cart.get(item, 0)} {item}" if item else ", ".join(f"{n} {name}" for name, n in cart.items())
    return f"{who} {did}{key}: {op.server or 'somebody'} shows {shows or 'an empty cart'}{took}"


def _sum(breach: Breach) -> str:
    if breach.found is None:
        figures = f" ({breach.item})" if breach.item else ""
    else:
        more = f" to {breach.possible}" if breach.possible > breach.promised else ""
        figures = f": {breach.promised}{more} {breach.item} acknowledged, {breach.found} found"
    return f"Broken promise {breach.promise}, {MEANINGS[breach.promise]}{figures}."
