"""Connections to servers: one protocol, and per server the idle ones to take again.

A connection serves one exchange at a time. It goes back to its lane only when both messages ended
exactly where their framing says; bytes that nobody asked for close it, so that no client ever sees
what was meant for another.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING, Final

from lb.body import Body, EndlessBody, body_of
from lb.http1 import MAX_HEAD
from lb.refusals import TOO_LARGE, BadMessage
from lb.response import SWITCHING_PROTOCOLS, parse_response

if TYPE_CHECKING:
    from lb.exchange import Exchange
    from lb.names import Names
    from lb.pool import Server
    from lb.response import ResponseHead

_FIRST_FINAL_STATUS: Final = 200


class ServerConnection(asyncio.Protocol):
    """``in_step``: the last answer ended where it should, so another request may follow."""

    __slots__ = (
        "_body", "_held", "_keepable", "_unread", "at_end", "exchange", "idle_since", "in_step", "lane",
        "residence", "reused", "transport",
    )  # fmt: skip

    transport: asyncio.Transport

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self.residence = lane.server.residence
        self.exchange: Exchange | None = None
        self.reused = False
        self.in_step = True
        self.at_end = False
        self.idle_since = 0.0
        self._body: Body | None = None
        self._unread = b""
        self._held = False
        self._keepable = False

    # What an exchange asks of it

    def serve(self, exchange: Exchange, message: bytes) -> None:
        self.exchange = exchange
        self._body = None
        self.in_step = False
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
        self.at_end = True
        self.lane.forget(self)
        self.transport.abort()

    def release(self, *, request_was_sent: bool) -> None:
        """The exchange is over; keep the connection if it is in step."""
        self.exchange = None
        if self._held:
            self.hold(held=False)
        if self.in_step and request_was_sent and not self.at_end:
            self.lane.put(self)
        else:
            self.transport.close()

    # What the loop tells it

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # create_connection gives a Transport

    def data_received(self, data: bytes) -> None:
        exchange = self.exchange
        if exchange is None:  # nobody asked for these bytes
            self.drop()
            return
        try:
            if self._body is None:
                self._read_head(exchange, self._unread + data if self._unread else data)
            else:
                self._read_body(exchange, self._body, data)
        except BadMessage as error:
            exchange.on_bad_answer(error)

    def eof_received(self) -> None:
        self.at_end = True

    def connection_lost(self, exc: Exception | None) -> None:
        clean = self.at_end and exc is None
        self.at_end = True
        self.lane.forget(self)
        exchange = self.exchange
        if exchange is None:
            return
        if clean and isinstance(self._body, EndlessBody):
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
            if end < 0 or end > MAX_HEAD:
                if len(data) > MAX_HEAD:
                    raise BadMessage(502, f"the head of the answer is over {MAX_HEAD} bytes", TOO_LARGE)
                self._unread = data
                return
            head = parse_response(data[: end + 2], exchange.head.method)
            data = data[end + 4 :]
            if head.status >= _FIRST_FINAL_STATUS:
                self._unread = b""
                break
            if head.status == SWITCHING_PROTOCOLS:
                self._switch(exchange, head, data)
                return
            exchange.on_interim(head)
        if len(data) == head.length:  # the usual: the whole answer came in one piece
            self.in_step = head.keep_alive
            exchange.on_whole_answer(head, data)
            return
        self._keepable = head.keep_alive
        body = self._body = body_of(head.length)
        payload = body.feed(data)
        if body.done:
            self.in_step = head.keep_alive and not body.rest
        exchange.on_answer(head, payload, done=body.done)

    def _switch(self, exchange: Exchange, head: ResponseHead, payload: bytes) -> None:
        if not exchange.head.fields.upgrade or not head.upgrade:
            raise BadMessage(502, "the server switched protocols, which nobody had asked for")
        self._unread = b""
        self._body = EndlessBody()
        exchange.on_switch(head, payload)

    def end_of_request(self) -> bool:
        """The client of a tunnel will send no more; whether the server may still."""
        if self.transport.is_closing():
            return False
        self.transport.write_eof()
        return True

    def _read_body(self, exchange: Exchange, body: Body, data: bytes) -> None:
        payload = body.feed(data)
        if body.done:
            self.in_step = self._keepable and not body.rest
        exchange.on_body(payload, done=body.done)


class Lane:
    """All connections to one server that wait for work, latest first."""

    def __init__(self, server: Server, names: Names, *, connect_timeout: float, most_idle: int) -> None:
        self.server = server
        self._names = names
        self._connect_timeout = connect_timeout
        self._most_idle = most_idle
        self._idle: list[ServerConnection] = []
        self._connecting: set[asyncio.Task[None]] = set()

    def take(self) -> ServerConnection | None:
        """The connection used last: the least likely to be closed by the server just now."""
        while self._idle:
            connection = self._idle.pop()
            if connection.residence == self.server.residence and not connection.at_end:
                connection.reused = True
                return connection
            connection.transport.close()
        return None

    def put(self, connection: ServerConnection) -> None:
        if connection.residence != self.server.residence or len(self._idle) >= self._most_idle:
            connection.transport.close()
            return
        connection.idle_since = monotonic()
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
                await self._names.check(address.host)
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
        oldest_kept = monotonic() - idle_longer_than
        if not self._idle or self._idle[0].idle_since >= oldest_kept:
            return
        stale = [connection for connection in self._idle if connection.idle_since < oldest_kept]
        self._idle = [connection for connection in self._idle if connection.idle_since >= oldest_kept]
        for connection in stale:
            connection.transport.close()

    def close(self) -> None:
        """Keep nothing from now on. What is in flight, or being connected for it, ends in peace."""
        self._most_idle = 0
        for connection in tuple(self._idle):
            connection.transport.close()
        self._idle.clear()
