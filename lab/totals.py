"""What is counted over all operations of an arm, one cart after the other. Pure."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lab.history import WRITES, Kind, Outcome
from lab.ledger import Errors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.history import Operation
    from lab.ledger import Crash


@dataclass(slots=True)
class Totals:
    """All but ``outcomes`` are of shopping alone; the last looks are the judge's.

    ``latencies`` run from the intended moment of every request that ended, ``writes`` and ``reads`` from
    the sending of those that ended well. All are seconds.
    """

    crash: Crash | None
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    errors: Errors = field(default_factory=Errors)
    elsewhere: int = 0
    latencies: array[float] = field(default_factory=lambda: array("d"))
    writes: array[float] = field(default_factory=lambda: array("d"))
    reads: array[float] = field(default_factory=lambda: array("d"))
    _last_error: float = 0.0

    @property
    def recovery(self) -> float | None:
        """From the crash to the last error that a shopper saw; 0 when nobody saw any after it."""
        if self.crash is None:
            return None
        return max(self._last_error - self.crash.at, 0.0)

    def add(self, ops: Sequence[Operation]) -> None:
        """All operations of one shopper."""
        for op in ops:
            self.outcomes[op.outcome] += 1
            if op.is_visible_error:
                self._add_error(op)
            if op.kind is not Kind.FINAL_READ:
                self._add_shopping(op)

    def _add_shopping(self, op: Operation) -> None:
        is_ok = op.outcome is Outcome.OK
        self.elsewhere += is_ok and (op.tries > 1 or op.moved_from is not None)
        if op.completed is None:
            return
        self.latencies.append(op.completed - op.intended)
        if is_ok:
            (self.writes if op.kind in WRITES else self.reads).append(op.completed - op.invoked)
        else:
            self._last_error = max(self._last_error, op.completed)

    def _add_error(self, op: Operation) -> None:
        before, is_write = self.errors, op.kind in WRITES
        self.errors = Errors(
            keyed=before.keyed + (is_write and op.key is not None),
            keyless=before.keyless + (is_write and op.key is None),
            reads=before.reads + (op.kind is Kind.READ),
            final_reads=before.final_reads + (op.kind is Kind.FINAL_READ),
        )
