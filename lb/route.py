"""Which server a request goes to, try after try.

Order of decision: the tie, then failover when the tied server cannot take it, then balance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lb.refusals import Unanswered

if TYPE_CHECKING:
    from lb.balance import Balance
    from lb.failover import Failover
    from lb.pool import Pool, Server
    from lb.sticky import Sticky, Tie


class Routing:
    """How requests are routed, the same for all of them."""

    __slots__ = ("balance", "failover", "pool", "sticky")

    def __init__(self, pool: Pool, sticky: Sticky, balance: Balance, failover: Failover) -> None:
        self.pool = pool
        self.sticky = sticky
        self.balance = balance
        self.failover = failover


class Route:
    """One request's way. ``met`` are the servers tried so far; ``home`` is where its session lived
    when it came; ``left_because`` says in one word why it did not get its answer there.
    """

    __slots__ = ("home", "left_because", "met", "tie")

    def __init__(self, tie: Tie) -> None:
        self.tie = tie
        self.home = tie.server
        self.met: list[Server] = []
        self.left_because = ""

    def next(self, routing: Routing) -> Server:
        """The next server to try; Unanswered when there is none."""
        bound = self.tie.server
        if bound is None:
            server = routing.balance.pick(routing.pool, self.met)
        elif bound not in self.met and bound.available(tied=True):
            server = bound
        else:
            server = self._elsewhere(bound, routing)
        if server is None:
            raise self._nobody_left()
        self.met.append(server)
        return server

    def _elsewhere(self, bound: Server, routing: Routing) -> Server | None:
        self.left_because = self.left_because or bound.state.shown
        if not routing.failover.may_leave:
            detail = (
                f"the session lives on {bound.name}, which is {bound.state.shown}, and failover is strict"
            )
            raise Unanswered(503, "destination_unavailable", detail)
        # Requests of one session that fail over at the same time must not part ways.
        heir = routing.sticky.heir(self.tie)
        if heir is None or heir in self.met or not heir.available(tied=True):
            heir = routing.balance.pick(routing.pool, self.met)
            if heir is not None:
                routing.sticky.promise(self.tie, heir)
        return heir

    def _nobody_left(self) -> Unanswered:
        if not self.met:
            return Unanswered(503, "destination_unavailable", "no server can take requests now")
        names = ", ".join(server.name for server in self.met)
        return Unanswered(502, self.left_because, f"tried {names}; no other server can take requests now")
