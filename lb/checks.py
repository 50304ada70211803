"""Asking servers how they are: one watcher a server, sooner when live traffic met trouble.

A refused connection is as good as a failed check and counts as one; a connection that broke proves
less (one request may have been at fault), so it only brings the next check forward. Either way a
killed server is known to be down some milliseconds after the first request has met it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from lb.health import Health, Result
from lb.pool import CHECKED, Event, State
from lb.refusals import BadMessage
from lb.response import parse_response
from lb.shortage import is_ours

if TYPE_CHECKING:
    from random import Random

    from lb.balancer import Balancer
    from lb.names import Names
    from lb.pool import Address, Server
    from lb.settings import Settings

#: Trouble may bring checks forward, but never closer together than this.
LEAST_GAP_SECONDS = 0.02
_GOOD = range(200, 400)


async def probe(address: Address, names: Names, path: str, limit: float) -> Result | None:
    """One check: connect, ask for ``path``, read the status; None when we could not ask."""
    connected = False
    try:
        async with asyncio.timeout(limit):
            await names.check(address.host)
            reader, writer = await asyncio.open_connection(address.host, address.port)
            connected = True
            try:
                writer.write(
                    f"GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n".encode("ascii")
                )
                head = await reader.readuntil(b"\r\n\r\n")
            finally:
                writer.transport.abort()
        status = parse_response(head[:-2], b"GET").status
    except TimeoutError:
        return Result(passed=False, code="L7TOUT" if connected else "L4TOUT", detail=f"after {limit:g} s")
    except OSError as error:
        if is_ours(error):
            return None
        return Result(
            passed=False, code="L7RSP" if connected else "L4CON", detail=error.strerror or str(error)
        )
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, BadMessage):
        return Result(passed=False, code="L7RSP", detail="no HTTP answer")
    return Result(passed=status in _GOOD, code="L7OK" if status in _GOOD else "L7STS", detail=str(status))


class Watcher:
    """Checks one server until it is removed."""

    def __init__(self, server: Server, balancer: Balancer, dice: Random) -> None:
        self.server = server
        self._part = dice.random()
        self.health = Health(balancer.settings.rise, balancer.settings.fall)
        self._balancer = balancer
        self._settings: Settings = balancer.settings
        self._sooner = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._watch())

    def suspect(self, result: Result | None) -> None:
        if self.server.state in CHECKED:
            if result is not None:
                self._record(result)
            self._sooner.set()

    def start_over(self) -> None:
        """The server moved or left maintenance: what was counted is void, and it is asked at once."""
        self.health.forget()
        self._sooner.set()

    def stop(self) -> None:
        self._task.cancel()

    async def _watch(self) -> None:
        server, settings = self.server, self._settings
        while True:
            self._sooner.clear()
            if server.state in CHECKED:
                residence = server.residence
                result = await probe(
                    server.address, self._balancer.names, settings.check_path, settings.check_timeout
                )
                if result is not None and residence == server.residence and server.state in CHECKED:
                    self._record(result)
            await asyncio.sleep(LEAST_GAP_SECONDS)
            # Servers that were met together would else be checked at the same moments for ever.
            part, self._part = self._part, 1.0
            await self._wait(self._interval() * part - LEAST_GAP_SECONDS)

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._sooner.wait()
        except TimeoutError:
            pass

    def _interval(self) -> float:
        settings = self._settings
        if self.health.is_wavering(self.server.state):
            return settings.fastinter
        return settings.downinter if self.server.state is State.DOWN else settings.inter

    def _record(self, result: Result) -> None:
        server = self.server
        if not result.passed:
            server.counters.chkfail += 1
        event = self.health.record(result, server.state)
        if event is None:
            return
        change = self._balancer.routing.pool.apply(server, event, str(result), result.code)
        if change is not None and event is Event.FAILED:
            server.counters.chkdown += 1
        self._balancer.tell(change)


class Checks:
    """The watchers of all servers. ``dice`` spread their checks."""

    def __init__(self, balancer: Balancer, dice: Random) -> None:
        self._balancer = balancer
        self._dice = dice
        self._watchers: dict[Server, Watcher] = {}
        balancer.on_trouble = self._on_trouble

    def watch(self, server: Server) -> None:
        self._watchers[server] = Watcher(server, self._balancer, self._dice)

    def start_over(self, server: Server) -> None:
        self._watchers[server].start_over()

    def last_result(self, server: Server) -> Result | None:
        return self._watchers[server].health.last

    def forget(self, server: Server) -> None:
        self._watchers.pop(server).stop()

    def stop(self) -> None:
        for watcher in self._watchers.values():
            watcher.stop()

    def _on_trouble(self, server: Server, result: Result | None) -> None:
        watcher = self._watchers.get(server)
        if watcher is not None:
            watcher.suspect(result)
