"""One kept-alive connection of a throng: one question at a time, each on the wire exactly once.

Written on the parser that the balancer uses, since a general client (``scripts/bench-clients``) costs
several times what this one does (``scripts/bench-throng``), and would be the dearest program of the
whole run. It follows no redirect and sends nothing twice; whoever asks is called back, without a task.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol, cast

import httptools

if TYPE_CHECKING:
    from collections.abc import Callable


class Asks(Protocol):
    """Who gets the answers: exactly one call for each ``Lane.ask``."""

    def answered(self, lane: Lane) -> None: ...

    def unanswered(self, lane: Lane, why: str, *, sent: bool) -> None: ...


class Lane(asyncio.Protocol):
    """Connects when it is first asked; once ``is_closed`` it is of no more use.

    ``errand`` is the asker's own. ``status``, ``headers`` (names in small letters), ``cookies`` and
    ``body`` are those of the last answer.
    """

    def __init__(self, asks: Asks, now: Callable[[], float]) -> None:
        self.errand: tuple[int, int] = (0, 0)
        self.asked_at = 0.0
        self.is_waiting = False
        self.is_closed = False
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.cookies: list[bytes] = []
        self.body = b""
        self._asks = asks
        self._now = now
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._why = "the connection was closed before the answer was whole"

    def ask(self, request: bytes, host: str, port: int) -> None:
        self.is_waiting = True
        self.asked_at = self._now()
        if self._transport is None:
            self._connecting = asyncio.get_running_loop().create_task(self._connect(request, host, port))
        else:
            self._transport.write(request)

    def give_up(self, why: str) -> None:
        """Wait no longer; the answer, should it still come, is nobody's."""
        self._why = why
        if self._transport is not None:
            self._transport.abort()
        elif self._connecting is not None:
            self._connecting.cancel()

    async def _connect(self, request: bytes, host: str, port: int) -> None:
        try:
            transport, _ = await asyncio.get_running_loop().create_connection(lambda: self, host, port)
        except (OSError, asyncio.CancelledError) as problem:
            self._end(f"no connection: {str(problem) or self._why}", sent=False)
        else:
            transport.write(request)

    def _end(self, why: str, *, sent: bool) -> None:
        self.is_closed = True
        if self.is_waiting:
            self.is_waiting = False
            self._asks.unanswered(self, why, sent=sent)

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(f"{self._why}{f': {exc}' if exc else ''}", sent=True)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as problem:
            self.give_up(f"what came back is no answer: {problem}")

    # What the parser calls.

    def on_message_begin(self) -> None:
        self.headers = {}
        self.cookies = []
        self.body = b""

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name == b"set-cookie":
            self.cookies.append(value)
        else:
            self.headers[name] = value

    def on_body(self, part: bytes) -> None:
        self.body = self.body + part if self.body else part

    def on_message_complete(self) -> None:
        self.status = self._parser.get_status_code()
        if self.status < HTTPStatus.OK or not self.is_waiting:
            return
        self.is_waiting = False
        if not self._parser.should_keep_alive() and self._transport is not None:
            self.is_closed = True
            self._transport.abort()
        self._asks.answered(self)
