"""The stream of requests through one arm, counted. Pure, and quick: it runs for every request.

Sets of shoppers are whole numbers, one bit a shopper: such a set is immutable, costs a few
nanoseconds to extend and counts itself. What changes with every request stands here alone, apart
from what seldom changes, because a frozen value is copied whole.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lab.history import Kind, Outcome
from lab.view.meter import BLANK, IDLE, Rate, Strip

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.history import Operation
    from lab.timeline import Tallied

#: What ``X-Session-Origin`` says when the server that answered had never seen the session.
STRANGER = frozenset({"new", "none"})


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

    @property
    def begun(self) -> int:
        """Shoppers who were promised an item."""
        return self.filled.bit_count()


@dataclass(frozen=True, slots=True)
class Counted:
    """The same counts where others have counted: operations are too many to pass here one by one."""

    requests: int
    failed: int
    unknown: int
    elsewhere: int
    begun: int
    lost: int
    unanswered: int

    @property
    def kept(self) -> int:
        return self.begun - self.lost - self.unanswered


NONE_YET = Traffic()


@dataclass(frozen=True, slots=True)
class Flow:
    traffic: Traffic | Counted = NONE_YET
    rate: Rate = IDLE
    strip: Strip = BLANK
    by_server: Mapping[str, Rate] = field(default_factory=dict)
    tallied: Tallied | None = None

    def rate_of(self, server: str) -> Rate:
        return self.by_server.get(server, IDLE)


NO_FLOW = Flow()


def with_tally(flow: Flow, tally: Tallied) -> Flow:
    """``tally`` counts all that happened so far, those that an earlier one counted included."""
    before = flow.traffic
    traffic = Counted(
        tally.requests,
        tally.failed,
        tally.unknown,
        tally.elsewhere,
        tally.filled,
        tally.lost,
        tally.unanswered,
    )
    known = flow.tallied.answers if flow.tallied else {}
    rates = {
        server: flow.rate_of(server).hit(tally.at, count - known.get(server, 0))
        for server, count in tally.answers.items()
    }
    more = traffic.requests - before.requests
    troubles = traffic.failed + traffic.unknown - before.failed - before.unknown
    strip = flow.strip.hits(tally.at, more, troubles) if more else flow.strip
    return Flow(traffic, flow.rate.hit(tally.at, more), strip, {**flow.by_server, **rates}, tally)


def with_operation(flow: Flow, operation: Operation, at: float) -> Flow:
    server = operation.server
    traffic = flow.traffic if isinstance(flow.traffic, Traffic) else NONE_YET
    return Flow(
        with_traffic(traffic, operation),
        flow.rate.hit(at),
        flow.strip.hit(at, trouble=operation.outcome is not Outcome.OK),
        {**flow.by_server, server: flow.rate_of(server).hit(at)} if server else flow.by_server,
    )


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
