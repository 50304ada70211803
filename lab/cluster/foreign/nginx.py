"""nginx, told by its file and SIGHUP, and looked through: the free nginx neither checks servers nor tells.

Each server has a path on a socket of nginx's that only we use. What comes through it says two things
at once: that the server is ready, and that nginx has read where it is.
"""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import psutil

from lab.cluster.foreign.engine import LOOK_AGAIN, Engine
from lab.cluster.foreign.sight import Seen, Sight

if TYPE_CHECKING:
    from lab.export.front import Backend, Front

#: Seconds. Idle connections are closed at once, and requests in flight are short here.
_OLD_WORKERS_END_WITHIN = 3.0


class Nginx(Engine):
    target = "nginx"
    tie = "cookie"

    def __init__(self, binary: str, front: Front, config: Path) -> None:
        super().__init__(binary, front, config)
        self._client: aiohttp.ClientSession | None = None
        self._were_up: set[str] = set()
        self._moving: set[str] = set()
        self._one_at_a_time = asyncio.Lock()

    def command(self) -> list[str]:
        return [self.binary, "-e", "stderr", "-c", str(self.config)]

    def settings(self, listening: int) -> dict[str, str]:
        return {"NGINX": f"{listening};"}  # how nginx hands sockets down to its own successor

    async def is_ready(self) -> bool:
        """It writes its pid once a SIGHUP would not end it any more, and works once it has a worker."""
        pid = Path(self.front.folder) / "nginx.pid"
        return pid.exists() and bool(pid.read_text().strip()) and bool(self._workers())

    async def place(self, server: Backend) -> None:
        """For a tenth of a second nginx lets old workers take requests beside new ones: wait for its end."""
        self.placed[server.name] = server
        self._were_up.discard(server.name)
        self._moving.add(server.name)
        async with self._one_at_a_time:
            old = self._workers()
            self.write()
            self.process.send_signal(signal.SIGHUP)
            with suppress(TimeoutError):  # an old one with a request in its hands takes no other
                async with asyncio.timeout(_OLD_WORKERS_END_WITHIN):
                    while self._workers() & old or not self._workers():
                        await asyncio.sleep(LOOK_AGAIN)
        self._moving.discard(server.name)

    async def look(self) -> Sight:
        names = list(self.placed)
        seen = dict(zip(names, await asyncio.gather(*map(self._look_at, names)), strict=True))
        self._were_up |= {name for name, one in seen.items() if one.state == "up"}
        return Sight(seen)

    async def _look_at(self, name: str) -> Seen:
        if name in self._moving:
            return Seen("starting", "nginx reads its configuration")
        if self._client is None:
            connector = aiohttp.UnixConnector(str(Path(self.front.folder) / "look.sock"), force_close=True)
            timeout = aiohttp.ClientTimeout(total=self.front.check_timeout)
            self._client = aiohttp.ClientSession(connector=connector, timeout=timeout)
        try:
            async with self._client.get(f"http://nginx/{name}") as answer:
                came = f"{answer.status} through nginx"
                if answer.status == HTTPStatus.OK:
                    return Seen("up", came)
        except (aiohttp.ClientError, TimeoutError) as problem:
            came = f"{type(problem).__name__} through nginx"
        return Seen("down" if name in self._were_up else "starting", came)

    def _workers(self) -> set[int]:
        try:
            return {child.pid for child in psutil.Process(self.process.pid).children()}
        except psutil.NoSuchProcess:
            return set()

    async def close(self) -> None:
        if self._client:
            await self._client.close()
