"""What the oracle found out about one arm: every cart, and the figures that follow from them."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from math import ceil
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lab.history import Outcome


class Status(StrEnum):
    """Of a cart or an item; the oracle's docstring says when it is which."""

    KEPT = "kept"
    LOST = "lost"
    UNAVAILABLE = "unavailable"
    DUPLICATED = "duplicated"
    UNEXPECTED = "unexpected"
    RESURRECTED = "resurrected"
    DOUBLED = "doubled"
    UNKNOWN = "unknown"


#: Worst first: a cart is called what its worst item is called.
SEVERITY = (
    Status.LOST,
    Status.DUPLICATED,
    Status.UNEXPECTED,
    Status.RESURRECTED,
    Status.UNAVAILABLE,
    Status.DOUBLED,
    Status.UNKNOWN,
    Status.KEPT,
)


#: Stands where an answer's origin would, for a shopper who got none.
NO_ANSWER = "no answer"


#: Stands where a fault on a server would name the server.
STORE = "store"
BALANCER = "balancer"


@dataclass(frozen=True, slots=True)
class Crash:
    """``servers``, and the ``store``, failed at ``at`` and were well again at ``healed`` (None: not yet)."""

    at: float
    servers: frozenset[str]
    healed: float | None = None
    store: bool = False

    @property
    def whom(self) -> str:
        return " and ".join([*sorted(self.servers), *(["the store"] if self.store else [])])

    def hits(self, home: str | None) -> bool:
        """Whether a cart with this ``home`` was at risk: without the store, every cart is."""
        return self.store or home in self.servers


@dataclass(frozen=True, slots=True)
class ItemResult:
    """``promised`` pieces were acknowledged, ``possible`` could be there, ``found`` were shown.

    Of those that could be, ``repeats`` were asked for again, without a key, for one and the same wish.
    """

    item: str
    promised: int
    possible: int
    found: int | None
    status: Status
    repeats: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CartResult:
    """One shopper's cart.

    ``read_at`` is when its final read was answered, ``idle`` for how many seconds nobody had touched
    the cart when that read was sent.
    ``home`` is the server that last acknowledged an add before the crash (without a crash: at all).
    ``first_missing`` is when an answer first lacked an acknowledged piece, ``came_back`` whether a
    later answer showed it again: such a cart was stale, not lost.
    ``strangers`` are items in an answer that this shopper never asked for, ``resurfaced`` those in an
    answer though they had surely been taken out before.
    ``first_origin`` and ``first_server`` tell who gave the first answer after the crash, and from
    where, ``first_took`` how many seconds it took; ``noticed`` is when the shopper first saw an error or
    a missing piece after the crash.
    """

    shopper: int
    status: Status
    items: tuple[ItemResult, ...] = ()
    read_at: float | None = None
    idle: float | None = None
    home: str | None = None
    first_missing: float | None = None
    came_back: bool = False
    strangers: tuple[str, ...] = ()
    resurfaced: tuple[str, ...] = ()
    first_origin: str | None = None
    first_server: str | None = None
    first_took: float | None = field(default=None, compare=False)
    noticed: float | None = None

    @property
    def promised(self) -> int:
        return sum(item.promised for item in self.items)


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Nearest-rank quantiles of ``n`` values in seconds; all None when there was none."""

    n: int
    min: float | None = None
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    max: float | None = None

    @classmethod
    def of(cls, values: Iterable[float]) -> Self:
        ordered = sorted(values)
        n = len(ordered)
        if not n:
            return cls(0)
        p50, p95, p99 = (ordered[ceil(share * n) - 1] for share in (0.50, 0.95, 0.99))
        return cls(n, ordered[0], p50, p95, p99, ordered[-1])


@dataclass(frozen=True, slots=True)
class Errors:
    """Operations that shoppers saw fail: adds with and without a key, reads, and final reads."""

    keyed: int = 0
    keyless: int = 0
    reads: int = 0
    final_reads: int = 0

    @property
    def seen(self) -> int:
        """While shopping. A failed try of a final read is the judge's, not a shopper's."""
        return self.keyed + self.keyless + self.reads


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """One arm's accounts.

    ``answered_elsewhere`` counts the requests that reached another server than the one tried or
    tied first; ``latency`` runs from the intended moment of every shopping request that ended, ``writes``
    and ``reads`` from when an answered one was sent. ``recovery`` is how many seconds after the crash the
    last shopper saw an error. ``servers`` is what each said about its strategy when shopping was over, and
    where nothing failed what the store counted, under its name.
    """

    arm: str
    crash: Crash | None
    carts: tuple[CartResult, ...]
    operations: Mapping[Outcome, int]
    errors: Errors
    answered_elsewhere: int
    latency: Quantiles
    writes: Quantiles = Quantiles(0)
    reads: Quantiles = Quantiles(0)
    recovery: float | None = None
    servers: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def count(self, *statuses: Status) -> int:
        return sum(cart.status in statuses for cart in self.carts)

    @property
    def counts(self) -> dict[str, int]:
        """Carts by status, every status named: what the bar on the screen shows."""
        return {status.value: self.count(status) for status in Status}

    @property
    def item_counts(self) -> dict[str, int]:
        found = Counter(item.status for cart in self.carts for item in cart.items)
        return {status.value: found[status] for status in Status}

    @property
    def at_risk(self) -> tuple[CartResult, ...]:
        """The carts whose home crashed, or all when the store did."""
        return tuple(cart for cart in self.carts if self.crash and self.crash.hits(cart.home))

    @property
    def others(self) -> tuple[CartResult, ...]:
        return tuple(cart for cart in self.carts if not (self.crash and self.crash.hits(cart.home)))

    @property
    def lost_items(self) -> tuple[ItemResult, ...]:
        return tuple(item for cart in self.carts for item in cart.items if item.status is Status.LOST)

    @property
    def pieces(self) -> dict[str, int]:
        """Of all items read back: acknowledged, lost, more than could be, and more than was wanted.

        Of those *doubled* every piece was asked for: a shopper tried again without a key, and the
        site carried out both tries. *resurrected* had been taken out.
        """
        read = [item for cart in self.carts for item in cart.items if item.found is not None]
        return {
            "acknowledged": sum(item.promised for item in read),
            "lost": sum(max(0, item.promised - (item.found or 0)) for item in read),
            "duplicated": _beyond(read, Status.DUPLICATED, Status.UNEXPECTED),
            "doubled": _beyond(read, Status.DOUBLED),
            "resurrected": _beyond(read, Status.RESURRECTED),
        }

    @property
    def homes(self) -> dict[str, dict[str, int]]:
        """For each server: how many carts it was home to at the crash, and how many were lost."""
        homes: dict[str, dict[str, int]] = {}
        for cart in sorted(self.carts, key=lambda cart: cart.home or ""):
            if cart.home is not None:
                home = homes.setdefault(cart.home, {"carts": 0, "lost": 0})
                home["carts"] += 1
                home["lost"] += cart.status is Status.LOST
        return homes

    @property
    def first_origins(self) -> dict[str, int]:
        """Where the first answers to the shoppers of the crashed servers came from."""
        return dict(Counter(cart.first_origin or NO_ANSWER for cart in self.at_risk).most_common())

    @property
    def noticed(self) -> Quantiles:
        """Seconds from the crash until those hit saw it: a missing piece or an error."""
        began = self.crash.at if self.crash else 0.0
        return Quantiles.of(cart.noticed - began for cart in self.at_risk if cart.noticed is not None)

    @property
    def time_to_loss(self) -> Quantiles:
        """Seconds from the crash until an answer first lacked a piece that stayed lost."""
        began = self.crash.at if self.crash else 0.0
        lost = (cart.first_missing for cart in self.carts if cart.status is Status.LOST)
        return Quantiles.of(at - began for at in lost if at is not None)

    @property
    def stale(self) -> int:
        return sum(cart.came_back for cart in self.carts)

    @property
    def strangers(self) -> int:
        """Shoppers who were shown something they never asked for."""
        return sum(bool(cart.strangers) for cart in self.carts)

    @property
    def resurfaced(self) -> int:
        """Shoppers who were shown something that they had taken out, or bought, before."""
        return sum(bool(cart.resurfaced) for cart in self.carts)

    def of_servers(self, figure: str) -> tuple[float, ...]:
        """One figure of all servers that know it."""
        return tuple(figures[figure] for figures in self.servers.values() if figure in figures)

    def to_record(self) -> dict[str, Any]:
        """The figures as plain JSON, without the carts one by one."""
        return {
            "arm": self.arm,
            "carts": self.counts,
            "items": self.item_counts,
            "pieces": self.pieces,
            "homes": self.homes,
            "at_risk": len(self.at_risk),
            "operations": {str(outcome): n for outcome, n in self.operations.items()},
            "errors": {**asdict(self.errors), "seen": self.errors.seen},
            "answered_elsewhere": self.answered_elsewhere,
            "first_origins": self.first_origins,
            "noticed": asdict(self.noticed),
            "time_to_loss": asdict(self.time_to_loss),
            "latency": asdict(self.latency),
            "writes": asdict(self.writes),
            "reads": asdict(self.reads),
            "recovery": self.recovery,
            "stale": self.stale,
            "strangers": self.strangers,
            "resurfaced": self.resurfaced,
            "servers": {name: dict(figures) for name, figures in self.servers.items()},
        }


def _beyond(items: Iterable[ItemResult], *statuses: Status) -> int:
    """Pieces shown beyond what could be there had nobody asked twice, in the items called so."""
    return sum((item.found or 0) - item.possible + item.repeats for item in items if item.status in statuses)
