"""Which links an arm has in its fault proxy, and what is disturbed there now.

Only the sides that a run's faults ask for have links: ``server-1:balancer`` is how the balancer
reaches a server, ``server-1:store`` how the server reaches the store, ``server-1:server-2`` how one
server reaches the other.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from lab.cluster.ports import Address, Side
from lab.cluster.wire import Wire
from lab.errors import EnvironmentProblem
from lab.wire.place import UNIX

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from lab.cluster.family import Family
    from lab.cluster.wire import Line
    from lab.wire.rule import Rule

_REDIS_PORT = 6379


class Links:
    def __init__(self, sides: Collection[Side], family: Family, slug: str, servers: Sequence[str]) -> None:
        self._sides = sides
        self._family = family
        self._slug = slug
        self._servers = servers
        self._wire: Wire | None = None
        self._disturbed: dict[tuple[str, Side], Line] = {}

    async def open(self) -> None:
        """Start the proxy, if any side is to have links."""
        if self._sides:
            self._wire = await Wire.start(self._family, f"{self._slug}-wire")

    def close(self) -> None:
        """After the processes have ended."""
        for line in self._disturbed.values():
            line.writer.close()
        if self._wire:
            self._wire.close()

    async def front(self, server: str, address: Address) -> Address:
        """Where the balancer is to look for ``server``, which listens at ``address``."""
        return await self._door(Side.BALANCER, f"{server}:balancer", address)

    async def peer(self, server: str, other: str, plane: Address) -> Address:
        """Where ``server`` is to look for ``other``, whose plane is at ``plane``."""
        return await self._door(Side.SERVERS, f"{server}:{other}", plane)

    async def store(self, server: str, url: str) -> str:
        """The URL by which ``server`` is to reach the store at ``url``."""
        if self._wire is None or Side.STORE not in self._sides:
            return url
        parts, name = urlsplit(url), f"{server}:store"
        if parts.scheme == "unix":
            path = self._family.den / f"{self._slug}-{server}.sock"
            await self._wire.socket(name, path, f"{UNIX}{parts.path}")
            return f"unix://{path}" + (f"?{parts.query}" if parts.query else "")
        if parts.scheme != "redis":
            raise EnvironmentProblem(
                f"A fault between a server and the store needs to stand in the middle, and {parts.scheme}:// "
                "is made to notice just that. Leave --redis-url out, or give one that begins with redis://."
            )
        to = Address(parts.hostname or "127.0.0.1", parts.port or _REDIS_PORT)
        door = await self._wire.link(name, "127.0.0.1", str(to))
        user, at, _ = parts.netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=f"{user}{at}{door}"))

    async def disturb(self, server: str, side: Side, rule: Rule) -> None:
        """``rule`` is in force on all links of ``server`` to ``side``; nothing else is there meanwhile."""
        if self._wire is None or side not in self._sides:
            raise EnvironmentProblem(
                f"{server} has no link to the {side} that could be disturbed: this site was opened without. "
                "A run has those that its own faults need."
            )
        await self.calm(server, side)
        self._disturbed[server, side] = await self._wire.disturb(self._names(server, side), rule)

    async def calm(self, server: str, side: Side) -> None:
        """Everything passes there again."""
        line = self._disturbed.pop((server, side), None)
        if line:
            with suppress(OSError):  # the proxy is gone, and with it what it did
                await line.close()

    def _names(self, server: str, side: Side) -> list[str]:
        if side is not Side.SERVERS:
            return [f"{server}:{side}"]
        others = [other for other in self._servers if other != server]
        return [f"{one}:{two}" for other in others for one, two in ((server, other), (other, server))]

    async def _door(self, side: Side, name: str, to: Address) -> Address:
        return to if self._wire is None or side not in self._sides else await self._wire.door(name, to)
