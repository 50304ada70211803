"""Which promise a cart shows to be broken, if any. Pure.

The oracle says what became of a cart; this says whether that was announced. A shortage (something
acknowledged is missing, at the end or for a while) has causes: a fault on a server that had acknowledged
changes of this cart, a fault on the store, adds at the same time. It is the price of the design when one
of its causes is something that the site does not promise to survive, and a breach when there is none.

| seen | breaks |
|---|---|
| somebody else's item, or one that was surely refused | ``own_cart``: nobody may ever do that |
| more than could be | ``keyed_retry_once`` |
| a shortage, and a server of this cart was hit | ``survives_server_crash`` |
| a shortage, and the store was hit | ``survives_store_crash``; ``survives_store_loss`` where it has less |
| a shortage, and the balancer was hit | ``any_server`` |
| a shortage, and adds overlapped | ``concurrent_adds`` |
| a shortage, and none of these | ``acknowledged``: no fault explains it |
| a shortage that went away by itself | ``never_stale`` |
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.history import Kind, Outcome
from lab.ledger import BALANCER, STORE, Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.history import Operation
    from lab.ledger import CartResult, ItemResult
    from lab.promises import Promises
    from lab.timeline import Interval

#: After these the store has not all that it had acknowledged, whatever it logs.
EMPTYING = frozenset({"store-power-loss", "store-evicts"})

OWN_CART = "own_cart"
ACKNOWLEDGED = "acknowledged"
LASTING_KEY = "time_to_live"
MEANINGS = {
    OWN_CART: "nobody is ever shown what they did not ask for",
    ACKNOWLEDGED: "what was acknowledged is kept as long as nothing fails",
    LASTING_KEY: "every key in the store has a time to live",
    "any_server": "any server may answer any request, whoever is tied to whom",
    "survives_server_crash": "no acknowledged change is lost when one server is hit",
    "survives_store_crash": "no acknowledged change is lost when the store is hit and keeps its log",
    "survives_store_loss": "no acknowledged change is lost when the store comes back empty, or with less",
    "bounded_loss": "one server takes no more acknowledged changes along than it said",
    "concurrent_adds": "adds to one cart at the same time all count",
    "keyed_retry_once": "a change that is sent again with its key counts once",
    "never_stale": "no answer shows a cart older than one that was acknowledged",
}


@dataclass(frozen=True, slots=True)
class Breach:
    """``promise`` is one of ``MEANINGS``. ``item`` is None where it is about no single one."""

    promise: str
    shopper: int | None = None
    item: str | None = None
    promised: int = 0
    possible: int = 0
    found: int | None = None


@dataclass(frozen=True, slots=True)
class Price:
    """A loss that was announced: ``promise`` is not made; ``blamed`` is the fault on a server, if any."""

    promise: str
    pieces: int
    blamed: Interval | None = None


def weigh(
    cart: CartResult,
    ops: Sequence[Operation],
    faults: Sequence[Interval],
    promises: Promises,
    *,
    store_log: bool = True,
) -> Breach | Price | None:
    """``ops`` are all of this cart's, ``faults`` all of the window's."""
    if too_much := _too_much(cart, promises):
        return too_much
    short = [item for item in cart.items if item.status is Status.LOST]
    if not short and not cart.came_back:
        return None
    causes = _causes(ops, faults, store_log=store_log)
    excuse = next((cause for cause in causes if not getattr(promises, cause.promise)), None)
    pieces = sum(item.promised - (item.found or 0) for item in short)
    if excuse:
        return Price(excuse.promise, pieces, excuse.fault) if pieces else None
    if short:
        return _about(causes[0].promise if causes else ACKNOWLEDGED, cart, short[0])
    if not promises.never_stale or _may_be_unconfirmed(ops, faults, promises):
        return None
    return Breach("never_stale", cart.shopper)


def _too_much(cart: CartResult, promises: Promises) -> Breach | None:
    if cart.strangers:
        return Breach(OWN_CART, cart.shopper, cart.strangers[0])
    for item in cart.items:
        if item.status is Status.UNEXPECTED:
            return _about(OWN_CART, cart, item)
        if item.status is Status.DUPLICATED and promises.keyed_retry_once:
            return _about("keyed_retry_once", cart, item)
    return None


def _about(promise: str, cart: CartResult, item: ItemResult) -> Breach:
    return Breach(promise, cart.shopper, item.item, item.promised, item.possible, item.found)


@dataclass(frozen=True, slots=True)
class _Cause:
    promise: str
    fault: Interval | None = None


def _causes(ops: Sequence[Operation], faults: Sequence[Interval], *, store_log: bool) -> list[_Cause]:
    """The last fault first: it is to blame, if one is."""
    met = [fault for fault in reversed(faults) if _meets(fault, ops)]
    found = [_cause(fault, store_log=store_log) for fault in met]
    return [*found, *([_Cause("concurrent_adds")] if _overlap(ops) else [])]


def _cause(fault: Interval, *, store_log: bool) -> _Cause:
    if fault.target == BALANCER:
        return _Cause("any_server")
    if fault.target != STORE:
        return _Cause("survives_server_crash", fault)
    is_less = fault.fault in EMPTYING or not store_log
    return _Cause("survives_store_loss" if is_less else "survives_store_crash")


def _meets(fault: Interval, ops: Sequence[Operation]) -> bool:
    """Whether this fault put something at risk that had been acknowledged when it was healed."""
    return any(
        fault.end is None or op.invoked <= fault.end
        for op in ops
        if op.kind is Kind.ADD and op.outcome is Outcome.OK and fault.target in (STORE, BALANCER, op.server)
    )


def _overlap(ops: Sequence[Operation]) -> bool:
    """Whether two adds of this cart were under way at once; one without an answer may be so for ever."""
    adds = sorted((op for op in ops if op.kind is Kind.ADD), key=lambda op: op.invoked)
    end = float("-inf")
    for op in adds:
        if op.invoked < end:
            return True
        if op.outcome is not Outcome.FAIL:
            end = max(end, float("inf") if op.outcome is Outcome.INFO else op.completed or op.invoked)
    return False


def _may_be_unconfirmed(ops: Sequence[Operation], faults: Sequence[Interval], promises: Promises) -> bool:
    """A copy shown while the store is away says that nobody confirmed it; the history does not keep that."""
    away = [fault for fault in faults if STORE in (fault.target, fault.fault.rpartition("-")[2])]
    reads = [op for op in ops if op.outcome is Outcome.OK]
    return promises.reads_without_store and any(
        fault.begin <= (op.completed or op.invoked) and (fault.end is None or op.invoked <= fault.end)
        for fault in away
        for op in reads
    )
