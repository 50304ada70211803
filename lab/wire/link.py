"""One link: a door, what is behind it, and the connections through it, all under one rule."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from lab.wire.place import Door, connect
from lab.wire.rule import PASSING, Fate, Rule, Way

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

_CHUNK = 64 * 1024
#: Chunks on their way in one direction; after that the sender is held back, as by a full window.
_WINDOW = 16
_AT_ONCE = struct.pack("ii", 1, 0)


class Link:
    """``to`` can change while it stands; connections that are there stay where they are."""

    def __init__(self, listen: str, to: str, dice: Random) -> None:
        self.to = to
        self.rule = PASSING
        self.connections = 0
        self._dice = dice
        self._door = Door(listen)
        self._server: asyncio.Server | None = None
        self._lines: set[_Line] = set()
        self._changed = asyncio.Event()

    @property
    def place(self) -> str:
        """Where it listens."""
        return self._door.place

    async def follow(self, rule: Rule) -> None:
        """From now on, for new connections and for those that are there."""
        self.rule = rule
        self._changed.set()
        self._changed = asyncio.Event()
        if rule.refuse:
            self._shut()
            for line in list(self._lines):
                line.reset()
        elif self._server is None:
            self._server = await asyncio.start_server(self._serve, sock=self._door.open())

    def close(self) -> None:
        self._shut()
        for line in list(self._lines):
            line.reset()
        self._door.close()

    async def change(self, within: float | None = None) -> None:
        """Return when the rule has changed, or after so many seconds."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), within)

    def jitter(self, way: Way) -> float:
        return self._dice.uniform(0, way.jitter) if way.jitter else 0.0

    def _shut(self) -> None:
        if self._server:
            self._server.close()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        line = _Line(self, writer)
        self._lines.add(line)
        try:
            await line.run(reader)
        finally:
            self._lines.discard(line)
            line.end()


class _Line:
    """One connection through a link: two writers, and two pumps between them."""

    def __init__(self, link: Link, near: asyncio.StreamWriter) -> None:
        self._link = link
        self._writers = [near]
        self._tasks: list[asyncio.Task[None]] = []

    async def run(self, near: asyncio.StreamReader) -> None:
        try:
            early = await self._until_a_way(near)
            far, writer = await connect(self._link.to)
        except OSError:
            self.reset()
            return
        self._writers.append(writer)
        writer.write(early)
        ways: list[Callable[[], Way]] = [lambda: self._link.rule.there, lambda: self._link.rule.back]
        routes = zip((near, far), reversed(self._writers), ways, strict=True)
        self._tasks = [
            asyncio.create_task(_pump(self._link, source, target, way)) for source, target, way in routes
        ]
        try:
            await asyncio.gather(*self._tasks)
        except OSError:
            self.reset()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _until_a_way(self, near: asyncio.StreamReader) -> bytes:
        """What a new connection has sent once it gets through.

        Behind a pulled cable it would not stand yet: who has given up by then has sent nothing.
        """
        if self._link.rule.there.fate is not Fate.HOLD:
            return b""
        while self._link.rule.there.fate is Fate.HOLD:
            await self._link.change()
        early = await near.read(_CHUNK)
        if near.at_eof():
            raise ConnectionAbortedError
        return early

    def reset(self) -> None:
        """RST rather than FIN on a TCP connection; a unix one only closes."""
        for writer in self._writers:
            with suppress(OSError):
                sock = writer.get_extra_info("socket")
                if sock.family != socket.AF_UNIX:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
            writer.transport.abort()

    def end(self) -> None:
        for writer in self._writers:
            writer.close()


async def _pump(
    link: Link, source: asyncio.StreamReader, target: asyncio.StreamWriter, way: Callable[[], Way]
) -> None:
    """Carry one direction to its end. Reading and sending are apart, so that a delay costs no throughput."""
    on_its_way: deque[tuple[float, bytes]] = deque()
    news, room = asyncio.Event(), asyncio.Semaphore(_WINDOW)
    now = asyncio.get_running_loop().time

    async def take() -> None:
        data = b"more"
        while data:
            await room.acquire()
            data = await source.read(_CHUNK)
            on_its_way.append((now() + link.jitter(way()), data))
            news.set()

    async def send() -> None:
        while True:
            while not on_its_way:
                news.clear()
                await news.wait()
            came, data = on_its_way[0]
            await _until_due(link, way, came, now)
            on_its_way.popleft()
            room.release()
            if not data:
                with suppress(OSError, RuntimeError):
                    target.write_eof()
                return
            target.write(data)
            await target.drain()
            if way().rate:
                await asyncio.sleep(len(data) / way().rate)

    taking = asyncio.create_task(take())
    try:
        await send()
        await taking
    finally:
        taking.cancel()
        await asyncio.gather(taking, return_exceptions=True)


async def _until_due(link: Link, way: Callable[[], Way], came: float, now: Callable[[], float]) -> None:
    """Return when what ``came`` then may go on; a rule that changes meanwhile is obeyed at once."""
    while True:
        current = way()
        if current.fate is Fate.RESET:
            raise ConnectionResetError
        left = came + current.delay - now()
        if current.fate is Fate.HOLD:
            await link.change()
        elif left > 0:
            await link.change(within=left)
        else:
            return
