"""What the screen knows about one arm, and how each operation changes it. Pure.

Sets of shoppers are whole numbers, one bit a shopper: such a set is immutable, costs a few
nanoseconds to extend and counts itself, which matters for something done at every request.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lab.history import Kind, Outcome
from lab.view.meter import BLANK, IDLE, Rate, Strip

if TYPE_CHECKING:
    from lab.history import Operation
    from lab.timeline import Interval, Judged

#: Happenings kept; the screen shows the last few that fit.
HAPPENINGS = 16
#: What ``X-Session-Origin`` says when the server that answered had never seen the session.
STRANGER = frozenset({"new", "none"})


@dataclass(frozen=True, slots=True)
class Happening:
    """``mark`` is a server's state, or one of fault, heal, note, moved, lost, error."""

    at: float
    mark: str
    text: str


@dataclass(frozen=True, slots=True)
class ServerState:
    name: str
    state: str = "starting"
    cause: str = ""
    carts: int | None = None
    cpu: float | None = None
    memory: int | None = None
    rate: Rate = IDLE


@dataclass(frozen=True, slots=True)
class Traffic:
    """Counts of operations, and sets of shoppers as bits.

    ``filled`` were promised an item. Of those, ``missing`` were later answered by a server that did
    not know them or showed an empty cart, and ``unavailable`` got no answer when last asked for it.
    """

    requests: int = 0
    failed: int = 0
    unknown: int = 0
    elsewhere: int = 0
    filled: int = 0
    missing: int = 0
    unavailable: int = 0

    @property
    def lost(self) -> int:
        return self.missing.bit_count()

    @property
    def unanswered(self) -> int:
        return (self.unavailable & ~self.missing).bit_count()

    @property
    def kept(self) -> int:
        return (self.filled & ~self.missing & ~self.unavailable).bit_count()


NONE_YET = Traffic()


@dataclass(frozen=True, slots=True)
class ArmState:
    name: str
    strategy: str = ""
    sticky: str = ""
    balance: str = ""
    address: str = ""
    store: str | None = None
    balancer_cpu: float | None = None
    sessions_moved: int = 0
    servers: tuple[ServerState, ...] = ()
    traffic: Traffic = NONE_YET
    rate: Rate = IDLE
    strip: Strip = BLANK
    happenings: tuple[Happening, ...] = ()
    faults: tuple[Interval, ...] = ()
    judged: Judged | None = None


def with_operation(arm: ArmState, operation: Operation, at: float) -> ArmState:
    before, after = arm.traffic, with_traffic(arm.traffic, operation)
    arm = replace(
        arm,
        traffic=after,
        rate=arm.rate.hit(at),
        strip=arm.strip.hit(at, trouble=operation.outcome is not Outcome.OK),
        servers=tuple(
            replace(server, rate=server.rate.hit(at)) if server.name == operation.server else server
            for server in arm.servers
        ),
    )
    happening = _first_of_its_kind(before, after, operation, at)
    return with_happening(arm, happening) if happening else arm


def with_traffic(traffic: Traffic, operation: Operation) -> Traffic:
    answered = operation.outcome is Outcome.OK
    bit = 1 << operation.shopper
    filled, missing, unavailable = traffic.filled, traffic.missing, traffic.unavailable
    if answered:
        if filled & bit and (operation.origin in STRANGER or operation.cart == {}):
            missing |= bit
        if operation.kind is Kind.ADD:
            filled |= bit
        unavailable &= ~bit
    elif operation.kind is Kind.FINAL_READ and filled & bit:
        unavailable |= bit
    return Traffic(
        traffic.requests + 1,
        traffic.failed + (operation.outcome is Outcome.FAIL),
        traffic.unknown + (operation.outcome is Outcome.INFO),
        traffic.elsewhere + was_answered_elsewhere(operation),
        filled,
        missing,
        unavailable,
    )


def was_answered_elsewhere(operation: Operation) -> bool:
    """Whether the balancer left the server it first chose and another one answered."""
    return operation.outcome is Outcome.OK and (operation.tries > 1 or operation.moved_from is not None)


def with_happening(arm: ArmState, happening: Happening) -> ArmState:
    return replace(arm, happenings=(*arm.happenings, happening)[-HAPPENINGS:])


def _first_of_its_kind(before: Traffic, after: Traffic, operation: Operation, at: float) -> Happening | None:
    """The first request of each kind is news; the rest are figures."""
    who = f"shopper {operation.shopper}"
    if after.missing and not before.missing:
        return Happening(at, "lost", f"{who}: cart empty on {operation.server}")
    if after.elsewhere and not before.elsewhere:
        left = f"{operation.moved_from}, " if operation.moved_from else ""
        return Happening(at, "moved", f"{who}: {left}now {operation.server}")
    if after.failed + after.unknown and not before.failed + before.unknown:
        return Happening(at, "error", f"{who} sees {operation.error or operation.status or 'no answer'}")
    return None
