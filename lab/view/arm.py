"""What the screen knows about one arm besides its traffic: servers, faults, happenings. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.history import Operation
    from lab.timeline import Costed, Interval, Judged
    from lab.view.flow import Counted, Traffic

#: Happenings kept; the screen shows the last few that fit.
HAPPENINGS = 16


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


@dataclass(frozen=True, slots=True)
class ArmState:
    name: str
    strategy: str = ""
    sticky: str = ""
    balance: str = ""
    address: str = ""
    store: str | None = None
    balancer_cpu: float | None = None
    servers: tuple[ServerState, ...] = ()
    happenings: tuple[Happening, ...] = ()
    faults: tuple[Interval, ...] = ()
    judged: Judged | None = None
    costed: Costed | None = None


def with_happening(arm: ArmState, happening: Happening) -> ArmState:
    return replace(arm, happenings=(*arm.happenings, happening)[-HAPPENINGS:])


def first_counted(before: Traffic | Counted, after: Counted, at: float) -> Happening | None:
    """The same news where nobody says whose request it was."""
    if after.lost and not before.lost:
        return Happening(at, "lost", "the first carts are empty on another server")
    if after.elsewhere and not before.elsewhere:
        return Happening(at, "moved", "the first requests answered by another server")
    if after.failed + after.unknown and not before.failed + before.unknown:
        return Happening(at, "error", "the first shoppers see an error")
    return None


def first_of_its_kind(
    before: Traffic | Counted, after: Traffic | Counted, operation: Operation, at: float
) -> Happening | None:
    """The first request of each kind is news; the rest are figures."""
    who = f"shopper {operation.shopper}"
    if after.lost and not before.lost:
        return Happening(at, "lost", f"{who}: cart empty on {operation.server}")
    if after.elsewhere and not before.elsewhere:
        left = f"{operation.moved_from}, " if operation.moved_from else ""
        return Happening(at, "moved", f"{who}: {left}now {operation.server}")
    if after.failed + after.unknown and not before.failed + before.unknown:
        return Happening(at, "error", f"{who} sees {operation.error or operation.status or 'no answer'}")
    return None
