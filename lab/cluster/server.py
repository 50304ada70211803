"""One cart server as the lab holds it: its name stays, its process comes and goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp

from lab.cluster.gauge import Gauge
from lab.timeline import ServerSample

if TYPE_CHECKING:
    from lab.cluster.child import Child
    from lab.cluster.ports import Address

_STATS_WITHIN = aiohttp.ClientTimeout(total=0.5)


class Server:
    def __init__(self, name: str, child: Child, address: Address) -> None:
        self.name = name
        self.child = child
        self.address = address
        self._gauge = Gauge(child.pid)

    async def sample(self, http: aiohttp.ClientSession) -> ServerSample:
        load = self._gauge.read()
        if load is None:
            return ServerSample(self.name, None, None, None)
        return ServerSample(self.name, await carts_at(http, self.address), load.cpu, load.memory)


async def figures_at(http: aiohttp.ClientSession, address: Address) -> dict[str, float]:
    """Of its strategy, by its own names; none when it does not answer."""
    try:
        async with http.get(f"{address.url}/stats", timeout=_STATS_WITHIN) as answer:
            found = (await answer.json())["figures"]
    except (aiohttp.ClientError, TimeoutError, KeyError):
        return {}
    return {name: figure for name, figure in found.items() if isinstance(figure, int | float)}


async def carts_at(http: aiohttp.ClientSession, address: Address) -> int | None:
    """How many it holds. None also when it does not answer: a frozen server must not freeze the screen."""
    try:
        async with http.get(f"{address.url}/stats", timeout=_STATS_WITHIN) as answer:
            carts = (await answer.json())["carts"]
    except (aiohttp.ClientError, TimeoutError):
        return None
    return carts if isinstance(carts, int) else None
