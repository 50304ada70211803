"""An exchange that may have to wait for its server, and that has a deadline across all of its tries.

A class of its own: who asks for neither pays nothing for them.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING, Final

from lb.exchange import Exchange
from lb.refusals import Unanswered
from lb.retry import Phase

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lb.balancer import Balancer
    from lb.pool import Server
    from lb.proxy import Client
    from lb.request import RequestHead
    from lb.upstream import ServerConnection

NO_ROOM: Final = "connection_limit_reached"


class LimitedExchange(Exchange):
    """``_waits_for`` the server it is tied to, or None for any, while it ``_waits``."""

    __slots__ = ("_began", "_waits", "_waits_for")

    def __init__(self, balancer: Balancer, client: Client, head: RequestHead, body: bytes = b"") -> None:
        super().__init__(balancer, client, head, body)
        self._began = client.now
        self._waits = False
        self._waits_for: Server | None = None

    def would_take(self, server: Server) -> bool:
        return server not in self.route.met

    def admit(self, server: Server) -> None:
        self._waits = False
        self.route.met = (*self.route.met, server)
        if self._trace is not None:
            self._trace.on_admitted()
        super()._go_to(server)

    def choose_again(self) -> None:
        self._waits = False
        self.start()

    def _go_to(self, server: Server) -> None:
        queue = self._balancer.queue
        if queue is None or queue.has_room(server):
            super()._go_to(server)
        elif server is not self.route.bound:
            self._wait_for(None)
        elif queue.is_full(server):
            self._break_away(server)
        else:
            self._wait_for(server)

    def _wait_for(self, server: Server | None) -> None:
        """The server that was chosen last has not been met yet after all."""
        queue = self._balancer.queue
        if queue is None:
            raise RuntimeError("there is no queue to wait in")
        self.route.met = self.route.met[:-1]
        self._waits, self._waits_for = True, server
        self.client.deadline = monotonic() + self._balancer.settings.queue_timeout
        queue.join(self, server)

    def _break_away(self, server: Server) -> None:
        """Too many wait for the tied server already (HAProxy's ``maxqueue``)."""
        route, routing = self.route, self._balancer.routing
        route.left_because = "queue full"
        other = routing.balance.pick(routing.pool, route.met, route.key)
        if other is None or not routing.failover.may_leave:
            self.give_up(Unanswered(503, NO_ROOM, f"too many wait for {server.name} already"))
            return
        routing.sticky.promise(route, other)
        route.met = (*route.met[:-1], other)
        self._go_to(other)

    def _leave_server(self) -> ServerConnection | None:
        queue = self._balancer.queue
        if queue is not None and self._waits:
            self._waits = False
            queue.leave(self, self._waits_for)
        server = self.server if self._occupies else None
        connection = super()._leave_server()
        if queue is not None and server is not None:
            # Not at once: the connection is about to be free for whoever comes next.
            asyncio.get_running_loop().call_soon(queue.serve, server)
        return connection

    def _end_unanswered(self, end: str, status: int | None = None) -> None:
        who = "s" if end[0] == "S" else end[0]  # no server has failed: the time was over
        super()._end_unanswered(f"{who}Q" if self._waits else end, status)

    def on_deadline(self) -> None:
        if not self._waits:
            super().on_deadline()
            return
        whom = f"{self._waits_for.name} had" if self._waits_for is not None else "any server had"
        limit = self._balancer.settings.queue_timeout
        self.give_up(Unanswered(503, NO_ROOM, f"waited {limit:g} s, and not until {whom} room"))

    def on_tick(self, now: float) -> None:
        """End what is not answered within ``request_timeout``, whatever it waits for."""
        limit = self._balancer.settings.request_timeout
        if limit and now - self._began > limit and self._phase is not Phase.ANSWERED:
            detail = f"no answer within {limit:g} s, after {len(self.route.met)} tries"
            self.give_up(Unanswered(504, "http_response_timeout", detail))


def tick(clients: Iterable[Client], now: float) -> None:
    for client in clients:
        if isinstance(client.exchange, LimitedExchange):
            client.exchange.on_tick(now)
