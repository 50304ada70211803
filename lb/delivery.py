"""The half of an exchange that leads to a server: a route, a connection, the request's bytes.

What was sent is kept (``replay``) for as long as it may have to be sent again.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from lb import retry
from lb.body import frame
from lb.http1 import CHUNKED
from lb.log import Trace
from lb.refusals import Unanswered
from lb.replay import Replay
from lb.retry import Phase

if TYPE_CHECKING:
    from lb.answer import Answer
    from lb.balancer import Balancer
    from lb.pool import Server
    from lb.proxy import Client
    from lb.request import RequestHead
    from lb.upstream import ServerConnection

# Naming an enum's member costs a lookup each time; these are named for every request.
_CONNECTING, _SENT = Phase.CONNECTING, Phase.SENT


class Delivery:
    """Always an ``Exchange``, which knows what to do with the answer."""

    __slots__ = (
        "_balancer", "_connection", "_fresh", "_message", "_occupies", "_patience", "_phase", "_replay",
        "_request_done", "_trace", "answer", "client", "head", "over", "route", "server",
    )  # fmt: skip

    def __init__(self, balancer: Balancer, client: Client, head: RequestHead, body: bytes = b"") -> None:
        """``body``: all of it, if it came with the head."""
        fields = head.fields
        self._balancer = balancer
        self.client = client
        self.head = head
        self.over = False
        self.route = balancer.routing.find(fields, client.now, client.peer)
        self.server: Server | None = None
        self._connection: ServerConnection | None = None
        self._phase = _CONNECTING
        self._message = head.message + body if body else head.message
        self._replay: Replay | None = None  # of a body only that comes piece by piece
        self._request_done = fields.length == len(body)
        self.answer: Answer | None = None
        self._fresh = False
        self._occupies = False
        self._patience = balancer.settings.body_timeout
        self._trace = Trace(balancer.log, client.now) if balancer.log is not None else None

    @property
    def outlives_client(self) -> bool:
        """Whether it goes on although its client will send no more: it may change something."""
        return self._request_done and self.head.method not in retry.SAFE

    def start(self, otherwise: Unanswered | None = None) -> None:
        """``otherwise`` is told, where no server is left to ask, in place of that."""
        try:
            server = self.route.next(self._balancer.routing)
        except Unanswered as reason:
            self.give_up(otherwise or reason)
        else:
            self._go_to(server)

    def send(self, payload: bytes, *, last: bool) -> None:
        """Pass on a piece of the request's body."""
        if self.head.fields.length == CHUNKED:
            payload = frame(payload, done=last)
        self._request_done = last
        replay = self._replay
        if replay is None:
            replay = self._replay = Replay(self._message, self._balancer.settings.replay_limit)
        replay.add(payload)
        if self._connection is None:  # all of it is still needed: wait for a server to take it
            self.client.hold(held=replay.is_too_long)
            return
        if replay.is_too_long:
            replay.forget()
        self._await_progress()
        self._connection.write(payload)

    def _await_progress(self) -> None:
        limit = self._balancer.settings.response_timeout if self._request_done else self._patience
        self.client.deadline = monotonic() + limit

    def _go_to(self, server: Server) -> None:
        """A request that must not be repeated gets a fresh connection: the server could be closing
        an idle one at this moment, and the 502 would blame a server that is well.
        """
        self.server = server
        self._occupies = True
        server.active += 1
        server.requests += 1
        lane = self._balancer.lanes[server]
        connection = lane.take() if self.head.may_repeat and not self._fresh else None
        if connection is None:
            self.client.deadline = monotonic() + self._balancer.settings.connect_timeout + 1
            lane.connect_for(self)  # type: ignore[arg-type]  # see above
        else:
            server.counters.reuse += 1
            self._use(connection)

    def on_connected(self, connection: ServerConnection) -> bool:
        """Whether the connection is still wanted."""
        if self.over:
            return False
        connection.lane.server.counters.connect += 1
        self._use(connection)
        return True

    def _use(self, connection: ServerConnection) -> None:
        self._connection = connection
        self._phase = _SENT
        self.answer = None
        if self._request_done:  # the usual, without the detour over a function
            self.client.deadline = monotonic() + self._balancer.settings.response_timeout
        else:
            self._await_progress()
        if self._trace is not None:
            self._trace.on_sent()
        message = self._message
        if self._replay is not None:
            self.client.hold(held=False)
            message = self._replay.take(keep=self.head.may_repeat)
        connection.serve(self, message)  # type: ignore[arg-type]  # see above

    def give_up(self, reason: Unanswered) -> None:
        """Nobody can take the request, for this ``reason``."""
        raise NotImplementedError

    def _leave_server(self) -> ServerConnection | None:
        """Give back the slot; the connection, if there is one, is the caller's to keep or drop."""
        if self._occupies and self.server is not None:
            self.server.active -= 1
            self._occupies = False
        connection, self._connection = self._connection, None
        return connection

    def _asked(self) -> Server:
        if self.server is None:
            raise RuntimeError("an exchange heard from a server before it was routed to one")
        return self.server
