"""One arm in containers, behind the same ports as one of processes."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from typing import TYPE_CHECKING

import aiohttp

from lab.cluster.compose.blueprint import (
    ADMIN_PORT,
    ARM,
    FRONT_PORT,
    NAME,
    SERVER_PORT,
    back_network,
    front_network,
)
from lab.cluster.compose.holding import Holding
from lab.cluster.errors import CannotStart
from lab.cluster.ports import Side
from lab.cluster.server import carts_at
from lab.cluster.site import BalancedSite, together
from lab.errors import EnvironmentProblem
from lab.timeline import ServerSample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from docker.models.containers import Container

    from lab.cluster.compose.blueprint import Owner
    from lab.cluster.compose.engine import Engine
    from lab.cluster.gauge import Load
    from lab.cluster.ports import Address
    from lab.timeline import ServerChanged
    from lab.topology import Arm

_STARTS_WITHIN = 30.0
_LOOK_AGAIN = 0.05
_CRASHES_WITHIN = 12.0
_STOP_GRACE = 10
#: Seconds between two looks at CPU and memory: each costs the engine some ten milliseconds a container.
_WEIGH_EVERY = 1.0


#: ``Valkey server v=8.1.1 sha=...``, and the same of Redis.
_VERSION = re.compile(r"(\w+) server v=([\w.]+)")


class ComposeSite(BalancedSite):
    """``Stack`` starts its containers before ``open`` and removes them after ``close``."""

    def __init__(
        self,
        arm: Arm,
        logs: Path,
        engine: Engine,
        owner: Owner,
        *,
        clock: Callable[[], float],
        on_change: Callable[[ServerChanged], None],
    ) -> None:
        super().__init__(arm, logs, clock=clock, on_change=on_change)
        self.holdings: dict[str, Holding] = {}
        self._engine = engine
        self._owner = owner
        self._doors: dict[str, Address] = {}
        self._store_version: str | None = None
        self._weighing: asyncio.Task[None] | None = None

    @property
    def store(self) -> str | None:
        return self._store_version

    @property
    def vital(self) -> list[Holding]:
        """What the run cannot do without."""
        return [held for name, held in self.holdings.items() if name not in self.arm.server_names]

    async def open(self, containers: Iterable[Container]) -> None:
        """Take hold of this arm's ``containers``; returns when the balancer calls every server up."""
        for container in containers:
            if container.labels.get(ARM) == self.arm.name:
                name = container.labels[NAME]
                log = self._logs / f"{self.arm.slug}-{name}.log"
                self.holdings[name] = Holding(self._engine, container, log)
        await together(*(held.refresh() for held in self.holdings.values()))
        balancer = self.holdings["lb"]
        await self._until_listening(balancer)
        self._meet_balancer(balancer.published(FRONT_PORT), balancer.published(ADMIN_PORT))
        await together(self._ask_store(), *map(self._introduce, self.arm.server_names))
        await together(self._until_up(self.arm.server_names), self._weigh_all())
        self._weighing = asyncio.create_task(self._weigh())

    async def kill(self, server: str) -> None:
        await self._held(server).kill()

    async def crash(self, server: str) -> None:
        victim = self._held(server)
        victim.is_end_expected = True
        url = f"{self._doors[server].url}/crash"
        came = "nobody answered"
        try:
            async with asyncio.timeout(_CRASHES_WITHIN):
                async with self._http.post(url) as answer:
                    came = f"it answered {answer.status}: {(await answer.text())[:300]}"
                    answer.raise_for_status()
                await victim.ended()
        except (aiohttp.ClientError, TimeoutError) as problem:
            raise EnvironmentProblem(f"POST {url} should make {server} crash itself; {came}.") from problem

    async def stop(self, server: str) -> None:
        await self._held(server).stop(_STOP_GRACE)

    async def start(self, server: str) -> None:
        """Start it again, unless it runs."""
        held = self._held(server)
        await held.refresh()
        if held.status != "running":
            await held.unpause()
            await held.start()
            await self._introduce(server)
        await self._until_up([server])

    async def pause(self, server: str) -> None:
        await self._held(server).pause()

    async def resume(self, server: str) -> None:
        await self._held(server).unpause()
        await self._until_up([server])

    async def cut(self, server: str, side: Side) -> None:
        await self._held(server).disconnect(self._network(side))

    async def mend(self, server: str, side: Side) -> None:
        alias = f"{self.arm.slug}-{self.arm.server_names.index(server) + 1}"
        await self._held(server).connect(self._network(side), [alias])
        await self._introduce(server)
        await self._until_up([server])

    async def sample(self) -> Sequence[ServerSample]:
        return await asyncio.gather(*map(self._sample, self.arm.server_names))

    def balancer_load(self) -> Load | None:
        return self.holdings["lb"].load

    def stop_following(self) -> None:
        super().stop_following()
        if self._weighing:
            self._weighing.cancel()

    async def write_logs(self) -> None:
        await asyncio.gather(*(held.write_log() for held in self.holdings.values()))

    async def close(self) -> None:
        await self._http.close()

    def _held(self, server: str) -> Holding:
        self._check_known(server)
        return self.holdings[server]

    def _network(self, side: Side) -> str:
        network = back_network(self.arm) if side is Side.STORE else front_network(self.arm)
        return f"{self._owner.project}_{network}"

    async def _introduce(self, server: str) -> None:
        """Learn where it is now, and tell the balancer."""
        held = self.holdings[server]
        self._doors[server] = held.published(SERVER_PORT)
        address = held.address_on(self._network(Side.BALANCER), SERVER_PORT)
        if self.addresses.get(server) != address:
            await self._register(server, address)

    async def _until_listening(self, balancer: Holding) -> None:
        """Until its admin API answers. Port and container are there before the program listens."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_STARTS_WITHIN):
                if await self._is_listening(balancer):
                    return
        raise CannotStart(
            balancer.name, "its admin API does not answer", balancer.log, await balancer.last_lines()
        )

    async def _is_listening(self, balancer: Holding) -> bool:
        """Wait until it is, or until the program has ended."""
        while balancer.status == "running":
            try:
                async with self._http.get(f"{balancer.published(ADMIN_PORT).url}/servers") as answer:
                    answer.raise_for_status()
                    return True
            except aiohttp.ClientError:
                await asyncio.sleep(_LOOK_AGAIN)
                await balancer.refresh()
        return False

    async def _ask_store(self) -> None:
        if store := self.holdings.get("store"):
            self._store_version = version_in(await store.says("redis-server", "--version"))

    async def _sample(self, server: str) -> ServerSample:
        load = self.holdings[server].load
        if self.holdings[server].is_end_expected:
            return ServerSample(server, None, None, None)
        carts = await carts_at(self._http, self._doors[server])
        return ServerSample(server, carts, load.cpu if load else None, load.memory if load else None)

    async def _weigh(self) -> None:
        while True:
            await asyncio.sleep(_WEIGH_EVERY)
            await self._weigh_all()

    async def _weigh_all(self) -> None:
        await asyncio.gather(*(held.weigh() for held in self.holdings.values()))


def version_in(said: str) -> str:
    found = _VERSION.search(said)
    return f"{found[1].lower()} {found[2]} (container)" if found else "a store in a container"
