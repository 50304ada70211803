"""What the two foreign balancers have in common, and what is asked of each."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from lab.export.front import Backend
from lab.export.render import render

if TYPE_CHECKING:
    import socket
    from pathlib import Path

    from lab.cluster.foreign.sight import Sight
    from lab.export.front import Front

#: Where no server is: until it is told better, a balancer may know the name alone.
NOWHERE = ("127.0.0.1", 1)
READY_WITHIN = 10.0
LOOK_AGAIN = 0.02


class NotStarted(Exception):
    """It ended, or did not become ready; what it said stands in the log."""


class Engine:
    """One balancer process and its configuration, which ``lab.export`` writes."""

    target: ClassVar[str]
    tie: ClassVar[str]
    """What ties a session to a server, where one is tied: in our balancer's words."""

    def __init__(self, binary: str, front: Front, config: Path) -> None:
        self.binary = binary
        self.front = front
        self.config = config
        self.placed: dict[str, Backend] = {}

    async def start(self, listening: socket.socket) -> asyncio.subprocess.Process:
        """Start it on a socket that listens already: its port is known, and nobody can take it away."""
        self.front = replace(self.front, listening_on=listening.fileno(), port=listening.getsockname()[1])
        self.write()
        self.process = await asyncio.create_subprocess_exec(
            *self.command(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=sys.stderr,
            pass_fds=[listening.fileno()],
            env={**os.environ, **self.settings(listening.fileno())},
        )
        try:
            async with asyncio.timeout(READY_WITHIN):
                while not await self.is_ready():
                    if self.process.returncode is not None:
                        raise NotStarted(f"{self.target} ended with exit code {self.process.returncode}")
                    await asyncio.sleep(LOOK_AGAIN)
        except TimeoutError:
            raise NotStarted(f"{self.target} was not ready within {READY_WITHIN:g} s") from None
        return self.process

    def write(self) -> None:
        """The configuration, with every server where it is now."""
        servers = tuple(
            self.placed.get(server.name, Backend(server.name, *NOWHERE)) for server in self.front.servers
        )
        self.config.write_text(render(self.target, replace(self.front, servers=servers)), encoding="utf-8")

    def command(self) -> list[str]:
        raise NotImplementedError

    def settings(self, listening: int) -> dict[str, str]:  # noqa: ARG002 - for those who need it
        """What it is told by its environment."""
        return {}

    async def is_ready(self) -> bool:
        raise NotImplementedError

    async def place(self, server: Backend) -> None:
        """Have it know where ``server`` is from now on."""
        raise NotImplementedError

    async def look(self) -> Sight:
        raise NotImplementedError

    async def close(self) -> None:
        """After its process has ended."""
