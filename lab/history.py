"""Operations and their outcomes, in order: the only evidence the oracle accepts.

An operation is one HTTP request of a shopper. It ends in one of three ways (Jepsen's words):

* ``ok``    the answer came and says it happened,
* ``fail``  it surely did not happen: refused before anything was written,
* ``info``  nobody knows: bytes were sent and no answer came, or a gateway gave up waiting.

Times are seconds since the run began, on one monotonic clock. ``intended`` is when the shopper
meant to act; ``invoked`` is when the bytes left. Their difference is the wait that a closed
workload would hide (coordinated omission).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from enum import StrEnum
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator


class Outcome(StrEnum):
    OK = "ok"
    FAIL = "fail"
    INFO = "info"


class Kind(StrEnum):
    ADD = "add"
    REMOVE = "remove"
    PUT = "put"
    CHECKOUT = "checkout"
    READ = "read"
    FINAL_READ = "final-read"


#: What changes a cart. After the last three less may be in it than before; a checkout takes all items out.
WRITES = frozenset({Kind.ADD, Kind.REMOVE, Kind.PUT, Kind.CHECKOUT})
TAKES_OUT = WRITES - {Kind.ADD}


@dataclass(frozen=True, slots=True)
class Operation:
    """One request and how it ended.

    ``cart`` maps item to quantity as the answer showed it, or is None when no cart was shown.
    ``server`` is who answered (``X-Served-By``); ``origin`` is ``X-Session-Origin``;
    ``tries`` counts the servers the balancer tried, ``moved_from`` names the tied server it left.
    ``wish`` is the same in all operations by which a shopper tries to get one thing done; None: one try.
    """

    arm: str
    shopper: int
    kind: Kind
    intended: float
    invoked: float
    completed: float | None
    outcome: Outcome
    item: str | None = None
    quantity: int = 0
    key: str | None = None
    status: int | None = None
    server: str | None = None
    origin: str | None = None
    session: str | None = None
    cart: dict[str, int] | None = None
    tries: int = 1
    moved_from: str | None = None
    error: str | None = None
    wish: str | None = None

    @property
    def is_visible_error(self) -> bool:
        """Whether the shopper saw something other than the answer they wanted."""
        return self.outcome is not Outcome.OK


@dataclass(slots=True)
class History:
    """All operations of a run, in order of completion."""

    operations: list[Operation] = field(default_factory=list)

    def add(self, operation: Operation) -> None:
        self.operations.append(operation)

    def carts(self, arm: str) -> Iterator[list[Operation]]:
        """What each shopper of ``arm`` did, in the order in which it was sent."""
        return carts_of(self.of_arm(arm))

    def of_arm(self, arm: str) -> Iterator[Operation]:
        return (op for op in self.operations if op.arm == arm)

    def to_lines(self) -> Iterator[str]:
        for index, operation in enumerate(self.operations):
            record = {"index": index, **{name: getattr(operation, name) for name in _FIELDS}}
            yield json.dumps(record, separators=(",", ":"))

    @classmethod
    def from_lines(cls, lines: Iterable[str]) -> History:
        return cls([operation_of(json.loads(line)) for line in lines if line.strip()])


def carts_of(operations: Iterable[Operation]) -> Iterator[list[Operation]]:
    """The operations of one arm cart by cart, each in the order in which it was sent."""
    for _, ops in groupby(sorted(operations, key=_by_shopper_and_time), key=attrgetter("shopper")):
        yield list(ops)


def changed_elsewhere(operations: Iterable[Operation], servers: Collection[str], since: float) -> int:
    """How many shoppers of one arm, last answered by one of ``servers``, had a change acknowledged elsewhere.

    All of that change came after ``since``, and the answer before.
    """
    acknowledged = [op for op in operations if op.outcome is Outcome.OK and op.server]
    count = 0
    for cart in carts_of(acknowledged):
        before = [op.server for op in cart if op.completed is not None and op.completed <= since]
        later = {op.server for op in cart if op.invoked > since and op.kind in WRITES}
        count += bool(before) and before[-1] in servers and bool(later - set(servers))
    return count


_by_shopper_and_time = attrgetter("shopper", "invoked")


#: By hand: ``asdict`` copies deeply, which costs seconds on a history of 5,000 shoppers.
_FIELDS = tuple(each.name for each in fields(Operation))


def operation_of(record: dict[str, Any]) -> Operation:
    """From the record of one line."""
    record.pop("index", None)
    return Operation(**{**record, "kind": Kind(record["kind"]), "outcome": Outcome(record["outcome"])})
