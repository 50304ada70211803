"""What a soak has seen so far, as figures: all that is kept of windows that are over."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lab.history import Kind, Outcome
from lab.ledger import Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.history import Operation
    from lab.ledger import CartResult, Ledger
    from lab.promises import Promises
    from lab.timeline import Interval


@dataclass(slots=True)
class Tally:
    """``paid`` are lost pieces by the promise that is not made; ``most_at_once``: lost items of one fault.

    ``at_risk`` carts had something acknowledged by a server that was hit afterwards; ``at_risk_lost`` of
    them were lost, and ``lost_elsewhere`` others. ``slowest`` is the slowest answer, in seconds.
    """

    windows: int = 0
    carts: Counter[str] = field(default_factory=Counter)
    operations: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    paid: Counter[str] = field(default_factory=Counter)
    acknowledged: int = 0
    lost: int = 0
    duplicated: int = 0
    strangers: int = 0
    stale: int = 0
    at_risk: int = 0
    at_risk_lost: int = 0
    lost_elsewhere: int = 0
    most_at_once: int = 0
    slowest: float = 0.0
    lasting_keys: int | None = None
    promises: Promises | None = None

    @property
    def unread(self) -> int:
        return self.carts[Status.UNAVAILABLE]

    @property
    def requests(self) -> int:
        return sum(self.operations.values())

    def add(self, ledger: Ledger, carts: Sequence[Sequence[Operation]], faults: Sequence[Interval]) -> None:
        self.carts.update(ledger.counts)
        self.operations.update({str(outcome): n for outcome, n in ledger.operations.items()})
        pieces = ledger.pieces
        self.acknowledged += pieces["acknowledged"]
        self.lost += pieces["lost"]
        self.duplicated += pieces["duplicated"]
        self.strangers += ledger.strangers
        self.stale += ledger.stale
        self.slowest = max(self.slowest, ledger.latency.max or 0.0)
        for cart, ops in zip(ledger.carts, carts, strict=True):
            self._add_risk(cart, ops, faults)

    def _add_risk(self, cart: CartResult, ops: Sequence[Operation], faults: Sequence[Interval]) -> None:
        is_lost = cart.status is Status.LOST
        if any(_was_hit(op, faults) for op in ops):
            self.at_risk += 1
            self.at_risk_lost += is_lost
        else:
            self.lost_elsewhere += is_lost

    def to_record(self) -> dict[str, Any]:
        return {
            "windows": self.windows,
            "requests": self.requests,
            "operations": dict(self.operations),
            "carts": dict(self.carts),
            "pieces": {
                "acknowledged": self.acknowledged,
                "lost": self.lost,
                "duplicated": self.duplicated,
            },
            "strangers": self.strangers,
            "stale": self.stale,
            "faults": dict(self.faults),
            "announced_losses": dict(self.paid),
            "carts_at_risk": self.at_risk,
            "carts_at_risk_lost": self.at_risk_lost,
            "carts_lost_elsewhere": self.lost_elsewhere,
            "most_lost_with_one_fault": self.most_at_once,
            "slowest_seconds": round(self.slowest, 3),
            "keys_without_ttl": self.lasting_keys,
        }


def _was_hit(op: Operation, faults: Sequence[Interval]) -> bool:
    """Acknowledged by a server that was hit while it held it."""
    return (
        op.kind is Kind.ADD
        and op.outcome is Outcome.OK
        and op.completed is not None
        and any(fault.target == op.server and fault.begin >= op.completed for fault in faults)
    )
