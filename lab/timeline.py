"""What happened when, with the intervals of the faults.

Shoppers, clusters and faults write events here; oracle, view and report only read them.
``at`` is seconds since the run began. ``arm`` is None where an event concerns the whole run.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.history import Operation


@dataclass(frozen=True, slots=True)
class RunBegan:
    """The frame of a run: who takes part and which acts are to come, so that a view can draw it at once.

    More arms than run at once take rounds: each begins with a frame of its own.
    """

    at: float
    scenario: str
    title: str
    question: str
    seed: int
    shoppers: int
    arms: tuple[str, ...]
    acts: tuple[str, ...] = ()
    round: int = 1
    rounds: int = 1


@dataclass(frozen=True, slots=True)
class ActBegan:
    """An act of the run: ``sentence`` says what happens, ``look_at`` where to look."""

    at: float
    act: str
    sentence: str
    look_at: str = ""


@dataclass(frozen=True, slots=True)
class ArmReady:
    at: float
    arm: str
    strategy: str
    sticky: str
    balance: str
    address: str
    servers: tuple[str, ...]
    store: str | None = None


@dataclass(frozen=True, slots=True)
class ServerChanged:
    """The balancer's view of a server: starting, up, draining, maintenance, down."""

    at: float
    arm: str
    server: str
    state: str
    cause: str = ""


@dataclass(frozen=True, slots=True)
class OperationEnded:
    at: float
    arm: str
    operation: Operation


@dataclass(frozen=True, slots=True)
class Tallied:
    """Where an arm stands whose operations are only counted: ``requests`` of ``planned`` have ended.

    ``filled`` shoppers were promised an item; of those ``lost`` were later answered by a server that did
    not know them, and ``unanswered`` got no answer when last asked. ``answers`` counts by server.
    """

    at: float
    arm: str
    requests: int
    planned: int
    failed: int = 0
    unknown: int = 0
    elsewhere: int = 0
    filled: int = 0
    lost: int = 0
    unanswered: int = 0
    answers: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Costed:
    """What ``requests`` of an arm cost: ``cpu`` in seconds of each kind of program, in ``seconds`` of time.

    ``memory`` is the most that all programs of the run took together, in bytes, and ``shares`` what each
    kind took of it then: proportional set size, or resident where the system knows none.
    """

    at: float
    arm: str
    requests: int
    seconds: float
    cpu: dict[str, float]
    memory: int
    shares: dict[str, int]


@dataclass(frozen=True, slots=True)
class ServerSample:
    """``cpu`` in percent of one core, ``memory`` in bytes; None for a process that is gone."""

    server: str
    carts: int | None
    cpu: float | None
    memory: int | None


@dataclass(frozen=True, slots=True)
class Sampled:
    """``cpu`` and ``memory`` of the arm's balancer, and every server's."""

    at: float
    arm: str
    servers: tuple[ServerSample, ...]
    balancer_cpu: float | None = None
    sessions_moved: int = 0


@dataclass(frozen=True, slots=True)
class FaultBegan:
    at: float
    arm: str
    fault: str
    target: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class FaultHealed:
    at: float
    arm: str
    fault: str
    target: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Noted:
    at: float
    text: str
    arm: str | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """The verdict on one arm, in one sentence, with the counts of carts that the bar shows.

    ``verdict`` is held, broken or cannot tell, measured against ``expected``: kept or lost.
    """

    at: float
    arm: str
    verdict: str
    sentence: str
    counts: dict[str, int]
    expected: str = ""


@dataclass(frozen=True, slots=True)
class RunEnded:
    """``answer`` is what to tell somebody who had said what they expect, line by line."""

    at: float
    verdict: str
    exit_code: int
    take_away: str
    folder: str
    answer: tuple[str, ...] = ()


Event = (
    RunBegan
    | ActBegan
    | ArmReady
    | ServerChanged
    | OperationEnded
    | Tallied
    | Costed
    | Sampled
    | FaultBegan
    | FaultHealed
    | Noted
    | Judged
    | RunEnded
)


@dataclass(frozen=True, slots=True)
class Interval:
    """From ``begin`` until ``end`` (None: not healed) ``fault`` was active on ``target`` of ``arm``."""

    arm: str
    fault: str
    target: str
    begin: float
    end: float | None


@dataclass(slots=True)
class Timeline:
    """Events in order, but for the operations: those are the history's.

    Who wants to follow everything live adds a subscriber.
    """

    events: list[Event] = field(default_factory=list)
    subscribers: list[Callable[[Event], Any]] = field(default_factory=list)

    def record(self, event: Event) -> None:
        if not isinstance(event, OperationEnded):
            self.events.append(event)
        for subscriber in self.subscribers:
            subscriber(event)

    def fault_intervals(self) -> list[Interval]:
        intervals: list[Interval] = []
        for event in self.events:
            if isinstance(event, FaultBegan):
                end = next((e.at for e in self.events if _heals(e, event)), None)
                intervals.append(Interval(event.arm, event.fault, event.target, event.at, end))
        return intervals


def _heals(event: Event, began: FaultBegan) -> bool:
    return (
        isinstance(event, FaultHealed)
        and event.at >= began.at
        and (event.arm, event.fault, event.target) == (began.arm, began.fault, began.target)
    )
