"""Two copies of one cart that went apart in a split, and four ways to make one of them again.

| merge | keeps | price |
|---|---|---|
| lww | the copy that was written last | all that the other one took is lost |
| union | the greater quantity of each item | what was taken out comes back; two times one more is one more |
| pn-counter | all that was put in and taken out, by server | what both took out is taken out twice |
| or-map | each addition, until who saw it takes it out | an addition that nobody saw outlives a removal |

``union`` is the shopping cart of the Dynamo paper (2007, section 4.4): an addition is never lost, and
deleted items can resurface. A *trace* is what the last two remember beside the cart, as JSON: a
counter for each item and server; or a dot, one server's n-th addition, for each addition alive, and
how many each server made. A dot that the other side counts but no longer has was taken out there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from services.cart.model import LINE_MAX

if TYPE_CHECKING:
    from collections.abc import Callable

Quantities = dict[str, int]
Trace = dict[str, Any]
#: One side of a split: its quantities, its trace, and when it was last written (unix seconds).
Side = tuple[Quantities, Trace, float]


def noted(merge: str, trace: Trace, before: Quantities, after: Quantities, server: str) -> Trace:
    """The trace after ``server`` changed a cart from ``before`` to ``after``."""
    moved = {
        sku: after.get(sku, 0) - before.get(sku, 0)
        for sku in before | after
        if after.get(sku, 0) != before.get(sku, 0)
    }
    note = _NOTE.get(merge)
    for sku, by in moved.items():
        if note:
            trace = note(trace, sku, by, after.get(sku, 0), server)
    return trace


def merged(merge: str, mine: Side, theirs: Side) -> tuple[Quantities, Trace]:
    quantities, trace = _MERGE[merge](mine, theirs)
    return {sku: min(count, LINE_MAX) for sku, count in quantities.items() if count > 0}, trace


def _count(trace: Trace, sku: str, by: int, _after: int, server: str) -> Trace:
    counters = {name: dict(counts) for name, counts in trace.items()}
    up, down = counters.setdefault(sku, {}).get(server, (0, 0))
    counters[sku][server] = [up + max(by, 0), down + max(-by, 0)]
    return counters


def _dot(trace: Trace, sku: str, by: int, after: int, server: str) -> Trace:
    clock = dict(trace.get("clock", {}))
    dots = {name: dict(each) for name, each in trace.get("dots", {}).items()}
    clock[server] = clock.get(server, 0) + 1
    # Taking some out is taking out all that was seen, and putting the rest back.
    kept = dots.get(sku, {}) if by > 0 else {}
    fresh = by if by > 0 else after
    dots[sku] = kept | ({f"{server} {clock[server]}": fresh} if fresh else {})
    return {"clock": clock, "dots": {name: each for name, each in dots.items() if each}}


def _last(mine: Side, theirs: Side) -> tuple[Quantities, Trace]:
    return max(mine, theirs, key=lambda side: side[2])[:2]


def _union(mine: Side, theirs: Side) -> tuple[Quantities, Trace]:
    return {sku: max(mine[0].get(sku, 0), theirs[0].get(sku, 0)) for sku in mine[0] | theirs[0]}, {}


def _counters(mine: Side, theirs: Side) -> tuple[Quantities, Trace]:
    trace: Trace = {}
    for sku in mine[1] | theirs[1]:
        one, other = mine[1].get(sku, {}), theirs[1].get(sku, {})
        trace[sku] = {
            server: [
                max(pair) for pair in zip(one.get(server, (0, 0)), other.get(server, (0, 0)), strict=True)
            ]
            for server in one | other
        }
    return {sku: sum(up - down for up, down in counts.values()) for sku, counts in trace.items()}, trace


def _dots(mine: Side, theirs: Side) -> tuple[Quantities, Trace]:
    clocks = [side[1].get("clock", {}) for side in (mine, theirs)]
    sides = [side[1].get("dots", {}) for side in (mine, theirs)]
    dots: dict[str, Quantities] = {}
    for sku in sides[0] | sides[1]:
        one, other = sides[0].get(sku, {}), sides[1].get(sku, {})
        alive = {
            dot: quantity
            for dot, quantity in (one | other).items()
            if (dot in one and dot in other) or not _counts(clocks[1] if dot in one else clocks[0], dot)
        }
        if alive:
            dots[sku] = alive
    clock = {name: max(each.get(name, 0) for each in clocks) for name in clocks[0] | clocks[1]}
    return {sku: sum(each.values()) for sku, each in dots.items()}, {"clock": clock, "dots": dots}


def _counts(clock: dict[str, int], dot: str) -> bool:
    server, _, number = dot.rpartition(" ")
    return clock.get(server, 0) >= int(number)


_NOTE: dict[str, Callable[[Trace, str, int, int, str], Trace]] = {"pn-counter": _count, "or-map": _dot}
_MERGE: dict[str, Callable[[Side, Side], tuple[Quantities, Trace]]] = {
    "lww": _last,
    "union": _union,
    "pn-counter": _counters,
    "or-map": _dots,
}
