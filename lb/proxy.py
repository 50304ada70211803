"""Connections from clients: heads in, one exchange at a time, answers out in order.

Nothing is read from a client faster than it can be passed on, and a client that takes too long is
found by a sweep over ``deadline``: a timer for each request would cost more than its parsing.
"""

from __future__ import annotations

import asyncio
from enum import Enum, auto
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Final

from lb.body import Body, EndlessBody, body_of
from lb.diagnosis import diagnose_beginning
from lb.http1 import MAX_HEAD
from lb.onward import onward, tail
from lb.refusals import BadMessage, Unanswered, render
from lb.request import parse_request
from lb.retry import may_repeat

if TYPE_CHECKING:
    from lb.balancer import Balancer
    from lb.exchange import Exchange
    from lb.request import Fields, RequestHead

#: Bytes of further, pipelined requests that are taken in while one is being answered.
READ_AHEAD: Final = 64 * 1024
#: After an answer to a request that was not read to its end, the rest is read and dropped this
#: long: closing at once would reset the connection and could destroy the answer on its way.
LINGER_SECONDS: Final = 2.0


class Waits(Enum):
    """What a client's deadline is for."""

    HEAD = auto()
    NEXT_REQUEST = auto()
    EXCHANGE = auto()
    GOODBYE = auto()


# Naming an enum's member costs a lookup each time; these are named for every request.
_EXCHANGE, _NEXT_REQUEST, _GOODBYE = Waits.EXCHANGE, Waits.NEXT_REQUEST, Waits.GOODBYE


class Client(asyncio.Protocol):
    """``closes``: the connection ends with the answer that is under way; ``now``: its last bytes came;
    ``peer``: the address that asks, which a trusted proxy may have named.
    """

    __slots__ = (
        "_address", "_balancer", "_body", "_forwarded", "_held", "_last", "_trusted", "_unread",
        "_waits", "closes", "deadline", "exchange", "now", "peer", "transport",
    )  # fmt: skip

    transport: asyncio.Transport

    def __init__(self, balancer: Balancer) -> None:
        self._balancer = balancer
        self._unread = b""
        self._body: Body | None = None
        self._last: RequestHead | None = None
        self._forwarded = b""
        self._trusted = False
        self._address = ""
        self._held = False
        self._waits = Waits.HEAD
        self.exchange: Exchange | None = None
        self.closes = False
        self.peer = ""
        self.now = monotonic()
        self.deadline = inf

    # What the loop tells it

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # create_server gives a Transport
        peer = transport.get_extra_info("peername")
        self.peer = self._address = str(peer[0]) if peer else "unknown"
        self._trusted = self._balancer.trust.holds(self.peer)
        self._forwarded = self._balancer.forwarded_by(self.peer)
        self._balancer.on_client(self)
        self._wait_for(Waits.HEAD, self._balancer.settings.head_timeout)

    def data_received(self, data: bytes) -> None:
        self.now = monotonic()
        if self.exchange is None:
            if self._waits is not _GOODBYE:
                self._read_head(self._unread + data if self._unread else data)
        elif self._body is None or self._body.done:
            self._unread += data
            self.hold(held=len(self._unread) > READ_AHEAD)
        else:
            self._read_body(self.exchange, self._body, data)

    def eof_received(self) -> bool:
        """Stay open, though the client will send no more, only if the exchange is to be finished."""
        self.closes = True
        exchange = self.exchange
        if exchange is None:
            return False
        return exchange.end_of_client() if isinstance(self._body, EndlessBody) else exchange.outlives_client

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the loop's signature
        self._balancer.on_client_left(self)
        if self.exchange is not None:
            self.exchange.abandon()
            self.exchange = None

    def pause_writing(self) -> None:
        if self.exchange is not None:
            self.exchange.hold_answer(held=True)

    def resume_writing(self) -> None:
        if self.exchange is not None:
            self.exchange.hold_answer(held=False)

    def on_deadline(self) -> None:
        if self.exchange is not None:
            self.exchange.on_deadline()
        elif self._waits is Waits.HEAD and self._unread:
            limit = self._balancer.settings.head_timeout
            self._refuse_bytes(BadMessage(408, f"the request's head was not complete after {limit:g} s"))
        else:
            self.transport.close()

    # Reading

    def _read_head(self, data: bytes) -> None:
        last = self._last
        if last is not None and data.startswith(last.whole):  # the same head again
            self._unread = data[last.size :]
            self._begin(last)
            return
        if data.startswith(b"\r\n"):  # an empty line too many after the last body (RFC 9112 2.2)
            data = data[2:]
        end = data.find(b"\r\n\r\n")
        try:
            if end < 0 or end > MAX_HEAD:
                self._unread = data
                diagnose_beginning(data, MAX_HEAD)
                if self._waits is _NEXT_REQUEST:
                    self._wait_for(Waits.HEAD, self._balancer.settings.head_timeout)
                return
            fields = last.fields if last is not None else None
            head = parse_request(data[: end + 2], fields, trusted=self._trusted, vary=self._balancer.vary)
            if head.fields.via:
                self._balancer.refuse_loop(head.fields.via)
        except BadMessage as error:
            self._refuse_bytes(error)
            return
        head.size = end + 4
        head.whole, self._unread = data[: end + 4], data[end + 4 :]
        self._prepare(head)
        self._begin(head)

    def _prepare(self, head: RequestHead) -> None:
        """Derive what the same head would only lead to again."""
        fields, balancer = head.fields, self._balancer
        if not fields.onward:
            if self._trusted:
                self.peer = balancer.trust.client(self._address, fields.claims)
                self._forwarded = balancer.forwarded_by(self._address, fields.claims)
            fields.tail = tail(fields, self._forwarded)
            fields.onward = onward(balancer.routing.sticky.onward(fields), fields.tail)
        keyed = balancer.settings.retry_keyed
        head.may_repeat = may_repeat(head.method, has_key=fields.has_key, retry_keyed=keyed)
        head.message = b"%b %b%b" % (head.method, head.target, fields.onward)
        self._last = head

    def _begin(self, head: RequestHead) -> None:
        balancer = self._balancer
        balancer.counters.requests += 1
        self._waits = _EXCHANGE
        length, body = head.fields.length, b""
        if 0 < length <= len(self._unread):  # a small body usually comes with its head
            body, self._unread = self._unread[:length], self._unread[length:]
        exchange = self.exchange = balancer.exchange(balancer, self, head, body)
        if length == len(body):
            self._body = None
            exchange.start()
        else:
            self._begin_body(exchange, length)

    def _begin_body(self, exchange: Exchange, length: int) -> None:
        body = self._body = body_of(length)
        first, self._unread = self._unread, b""
        if first:
            self._read_body(exchange, body, first)
        if not exchange.over:
            exchange.start()

    def _read_body(self, exchange: Exchange, body: Body, data: bytes) -> None:
        try:
            payload = body.feed(data)
        except BadMessage as error:
            exchange.abandon("P", error.status)
            self._refuse_bytes(error)
            return
        if body.done:
            self._unread = body.rest
        if payload or body.done:
            exchange.send(payload, last=body.done)

    def open_tunnel(self, exchange: Exchange) -> None:
        """What the client sends from now on has no end but the connection's, nor what it sent already."""
        body = self._body = EndlessBody()
        first, self._unread = self._unread, b""
        self.hold(held=False)
        if first:
            self._read_body(exchange, body, first)

    def hold(self, *, held: bool) -> None:
        """Read no more from the client for now, or go on."""
        if held != self._held and not self.transport.is_closing():
            self._held = held
            (self.transport.pause_reading if held else self.transport.resume_reading)()

    # Answering

    def write(self, data: bytes) -> None:
        self.transport.write(data)

    def may_stay(self, fields: Fields) -> bool:
        """Whether the connection outlives the answer."""
        return fields.keep_alive and not self.closes and not self._balancer.stopping

    def persistence_field(self, *, stays: bool) -> bytes:
        """Decide that the connection ``stays``, and what the client is to be told about it."""
        if not stays:
            self.closes = True
            return b"Connection: close\r\n"
        return b"Connection: keep-alive\r\n" if self._last and self._last.fields.is_http10 else b""

    def refuse(self, reason: Unanswered, head: RequestHead, *, extra: bytes, was_read: bool) -> None:
        """Answer in place of the servers."""
        extra += self.persistence_field(stays=was_read and self.may_stay(head.fields))
        has_body = head.method != b"HEAD"
        self.write(render(reason.status, reason.error, reason.detail, extra=extra, has_body=has_body))
        self._balancer.on_own_answer(reason.status)
        self.on_exchange_over(was_read=was_read)

    def _refuse_bytes(self, error: BadMessage) -> None:
        """What came is no request: say so and go, for where the next one begins is not known."""
        self._balancer.on_refused(error, of_a_request=self.exchange is not None)
        self.exchange = None
        self.write(render(error.status, error.error, error.detail, extra=b"Connection: close\r\n"))
        self._say_goodbye()

    def on_exchange_over(self, *, was_read: bool) -> None:
        self.exchange = None
        if not was_read:
            self._say_goodbye()
        elif self.closes:
            self.transport.close()
        else:
            self._waits = _NEXT_REQUEST
            self.deadline = monotonic() + self._balancer.settings.keepalive_timeout
            if self._held:
                self.hold(held=False)
            if self._unread:
                asyncio.get_running_loop().call_soon(self._read_next)

    def _read_next(self) -> None:
        if self.exchange is None and self._unread and not self.transport.is_closing():
            data, self._unread = self._unread, b""
            self._read_head(data)

    def _say_goodbye(self) -> None:
        self._unread = b""
        self.hold(held=False)
        self._wait_for(Waits.GOODBYE, LINGER_SECONDS)
        if self.transport.can_write_eof() and not self.transport.is_closing():
            self.transport.write_eof()

    def cut(self) -> None:
        """End the connection so that the client sees its answer is not whole."""
        self.exchange = None
        self.transport.abort()

    def kill(self) -> None:
        """End the connection in the middle of whatever it is at: the operator does not wait."""
        if self.exchange is not None:
            self.exchange.abandon("K")
        self.transport.abort()

    def hurry(self, seconds: float) -> None:
        """An idle client has ``seconds`` to send a request that may be on its way, its last one here."""
        if self.exchange is None and not self._unread:
            self.deadline = min(self.deadline, monotonic() + seconds)

    def _wait_for(self, what: Waits, seconds: float) -> None:
        self._waits = what
        self.deadline = monotonic() + seconds
