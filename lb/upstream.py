"""Connections to servers: one protocol, and per server the idle ones to take again.

A connection serves one exchange at a time. It goes back to its lane only when both messages ended
exactly where their framing says; bytes that nobody asked for close it, so that no client ever sees
what was meant for another.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from lb.body import Body, EndlessBody, body_of
from lb.http1 import MAX_HEAD, parse_response
from lb.refusals import BadMessage

if TYPE_CHECKING:
    from collections.abc import Callable

    from lb.exchange import Exchange
    from lb.pool import Server

SWITCHING_PROTOCOLS = 101
FIRST_FINAL_STATUS = 200


class ServerConnection(asyncio.Protocol):
    __slots__ = (
        "_at_end", "_body", "_buffer", "_held", "exchange", "idle_since", "keepable", "lane", "residence",
        "reused", "transport",
    )  # fmt: skip

    transport: asyncio.Transport

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self.residence = lane.server.residence
        self.exchange: Exchange | None = None
        self.reused = False
        self.keepable = True
        self.idle_since = 0.0
        self._body: Body | None = None
        self._buffer = b""
        self._at_end = False
        self._held = False

    # What an exchange asks of it

    def serve(self, exchange: Exchange, message: bytes) -> None:
        self.exchange = exchange
        self._body = None
        self.transport.write(message)

    def write(self, data: bytes) -> None:
        self.transport.write(data)

    def hold(self, *, held: bool) -> None:
        """Read no more from the server for now, or go on: the client is slower than the server."""
        if held != self._held and not self.transport.is_closing():
            self._held = held
            (self.transport.pause_reading if held else self.transport.resume_reading)()

    def drop(self) -> None:
        """Close without a word to the exchange; whatever was in flight is given up."""
        self.exchange = None
        self.lane.forget(self)
        self.transport.abort()

    def release(self) -> None:
        """The exchange is over; keep the connection if it is in step."""
        self.exchange = None
        body = self._body
        in_step = body is None or (body.done and not body.rest)
        if self.keepable and in_step and not self.transport.is_closing():
            self.hold(held=False)
            self.lane.put(self)
        else:
            self.transport.close()

    # What the loop tells it

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # create_connection gives a Transport

    def data_received(self, data: bytes) -> None:
        exchange = self.exchange
        if exchange is None:
            self.drop()
            return
        try:
            if self._body is None:
                self._read_head(exchange, self._buffer + data if self._buffer else data)
            elif not self._body.done:
                payload = self._body.feed(data)
                exchange.on_body(payload, done=self._body.done)
        except BadMessage as error:
            exchange.on_bad_answer(error)

    def eof_received(self) -> None:
        self._at_end = True

    def connection_lost(self, exc: Exception | None) -> None:
        self.lane.forget(self)
        exchange = self.exchange
        if exchange is None:
            return
        if self._at_end and exc is None and isinstance(self._body, EndlessBody):
            self.keepable = False
            exchange.on_body(b"", done=True)
        else:
            exchange.on_server_gone(exc)

    def pause_writing(self) -> None:
        if self.exchange is not None:
            self.exchange.client.hold(held=True)

    def resume_writing(self) -> None:
        if self.exchange is not None:
            self.exchange.client.hold(held=False)

    def _read_head(self, exchange: Exchange, data: bytes) -> None:
        while True:
            end = data.find(b"\r\n\r\n")
            if end < 0:
                if len(data) > MAX_HEAD:
                    raise BadMessage(502, f"the head of the server's answer is over {MAX_HEAD} bytes")
                self._buffer = data
                return
            head = parse_response(data[: end + 2], exchange.head.method)
            data = data[end + 4 :]
            if head.status >= FIRST_FINAL_STATUS or head.status == SWITCHING_PROTOCOLS:
                break
            exchange.on_interim(head)
        self._buffer = b""
        self.keepable = head.keep_alive
        body = self._body = body_of(head.length)
        exchange.on_answer(head, body.feed(data) if data else b"", done=body.done)


class Lane:
    """All connections to one server that wait for work, latest first."""

    def __init__(
        self, server: Server, *, connect_timeout: float, most_idle: int, clock: Callable[[], float]
    ) -> None:
        self.server = server
        self._connect_timeout = connect_timeout
        self._most_idle = most_idle
        self._clock = clock
        self._idle: list[ServerConnection] = []
        self._connecting: set[asyncio.Task[None]] = set()

    def take(self) -> ServerConnection | None:
        """The connection used last: the least likely to be closed by the server just now."""
        while self._idle:
            connection = self._idle.pop()
            if connection.residence == self.server.residence and not connection.transport.is_closing():
                connection.reused = True
                return connection
            connection.transport.close()
        return None

    def put(self, connection: ServerConnection) -> None:
        if connection.residence != self.server.residence or len(self._idle) >= self._most_idle:
            connection.transport.close()
            return
        connection.idle_since = self._clock()
        self._idle.append(connection)

    def forget(self, connection: ServerConnection) -> None:
        if connection in self._idle:
            self._idle.remove(connection)

    def connect_for(self, exchange: Exchange) -> None:
        task = asyncio.get_running_loop().create_task(self._connect(exchange))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connect(self, exchange: Exchange) -> None:
        """Not cancelled when the exchange ends first: the connection then waits for the next one."""
        loop = asyncio.get_running_loop()
        address = self.server.address
        try:
            async with asyncio.timeout(self._connect_timeout):
                _, connection = await loop.create_connection(
                    lambda: ServerConnection(self), address.host, address.port
                )
        except OSError as error:  # TimeoutError is one
            exchange.on_connect_failed(self.server, error)
            return
        if not exchange.on_connected(connection):
            self.put(connection)

    def close_idle(self, idle_longer_than: float) -> None:
        """Close what has waited too long; a server's own keep-alive limit must never come first."""
        oldest_kept = self._clock() - idle_longer_than
        stale = [connection for connection in self._idle if connection.idle_since < oldest_kept]
        self._idle = [connection for connection in self._idle if connection.idle_since >= oldest_kept]
        for connection in stale:
            connection.transport.close()

    def close(self) -> None:
        for task in self._connecting:
            task.cancel()
        for connection in tuple(self._idle):
            connection.transport.close()
        self._idle.clear()
