"""A site of real processes on this machine: a balancer, cart servers, a store if needed.

Everything starts at once. Servers learn their ports from the system and say them on their first
line of output; the balancer is told over its admin API, so that a server which starts again on
another port is nothing special.
"""

from __future__ import annotations

import asyncio
import signal
import time
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import aiohttp

from lab.cluster import programs
from lab.cluster.breakable import BreakableStore
from lab.cluster.gauge import Gauge
from lab.cluster.links import Links
from lab.cluster.peers import introduce
from lab.cluster.ports import Address
from lab.cluster.programs import Wiring
from lab.cluster.server import Server, figures_at
from lab.cluster.site import together
from lab.cluster.store_binary import find_binary
from lab.errors import EnvironmentProblem
from lab.topology import OURS
from lab.wire.rule import SILENT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Sequence

    from lab.cluster.family import Family
    from lab.cluster.gauge import Load
    from lab.cluster.ports import Side, StoreFigures
    from lab.cluster.store import Store
    from lab.timeline import ServerChanged, ServerSample
    from lab.topology import Arm
    from lab.wire.rule import Rule

START_DEADLINE = 30.0
_CRASH_DEADLINE = 10.0
#: Seconds that a server told to stop has before it is made to: what an engine grants a container.
_STOP_GRACE = 10.0


class ProcessSite(BreakableStore):
    """One arm on this machine. ``open_sites`` starts and ends it."""

    def __init__(
        self,
        arm: Arm,
        family: Family,
        wiring: Wiring,
        *,
        redis_url: str | None = None,
        clock: Callable[[], float] = time.monotonic,
        on_change: Callable[[ServerChanged], None] = lambda _: None,
    ) -> None:
        super().__init__(arm, wiring.logs, clock=clock, on_change=on_change)
        self.servers: dict[str, Server] = {}
        self._family = family
        self._wiring = wiring
        self._redis_url = redis_url
        self._links = Links(wiring.links, family, arm.slug, arm.server_names)
        self._planes: dict[str, Address] = {}

    @property
    def store(self) -> str | None:
        return self._store.version if self._store else None

    @property
    def _running(self) -> Sequence[str]:
        return [name for name, server in self.servers.items() if server.child.is_running]

    async def open(self) -> None:
        """Start everything; returns when the balancer calls every server up."""
        # First, for the servers are told its URL; it starts in a fraction of the time that they take.
        if self.arm.needs_store:
            self._store = await self._open_store()
        await self._links.open()
        await together(self._open_balancer(), *map(self._launch, self.arm.server_names))
        await self._introduce_servers()
        await together(*map(self._introduce, self.arm.server_names))
        await self._until_up(self.arm.server_names)

    async def kill(self, server: str) -> None:
        await self._server(server).child.kill()

    async def crash(self, server: str) -> None:
        victim = self._server(server)
        victim.child.is_end_expected = True
        url = f"{victim.address.url}/crash"
        came = "nobody answered"
        try:
            async with asyncio.timeout(self._wiring.crash_delay + _CRASH_DEADLINE):
                async with self._http.post(url) as answer:
                    came = f"it answered {answer.status}: {(await answer.text())[:300]}"
                    answer.raise_for_status()
                await victim.child.wait()
        except (aiohttp.ClientError, TimeoutError) as problem:
            raise EnvironmentProblem(f"POST {url} should make {server} crash itself; {came}.") from problem

    async def start(self, server: str) -> None:
        """Start it again, unless it runs and nobody told it to end."""
        known = self._server(server)
        if known.child.is_end_expected or not known.child.is_running:
            await known.child.kill()
            await self._launch(server)
            await self._introduce_servers()
            await self._introduce(server)
        await self._until_up([server])

    async def stop(self, server: str) -> None:
        child = self._server(server).child
        child.is_end_expected = True
        child.signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(_STOP_GRACE):
                await child.wait()
        except TimeoutError:
            await child.kill()

    async def pause(self, server: str) -> None:
        self._server(server).child.signal(signal.SIGSTOP)

    async def resume(self, server: str) -> None:
        self._server(server).child.signal(signal.SIGCONT)
        await self._until_up([server])

    async def cut(self, server: str, side: Side) -> None:
        await self._links.disturb(server, side, SILENT)

    async def mend(self, server: str, side: Side) -> None:
        await self.calm(server, side)

    async def disturb(self, server: str, side: Side, rule: Rule) -> None:
        self._check_known(server)
        await self._links.disturb(server, side, rule)

    async def calm(self, server: str, side: Side) -> None:
        self._check_known(server)
        await self._links.calm(server, side)
        await self._until_up([server])

    async def lose_replies(self, server: str, number: int) -> None:
        await self._tell(server, f"/chaos/lose-next-reply?times={number}")

    async def skew_clock(self, server: str, seconds: float) -> None:
        await self._tell(server, f"/chaos/clock?ahead={seconds:g}")

    async def kill_balancer(self) -> None:
        self.stop_following()
        await self._balancer_child.kill()

    async def start_balancer(self) -> None:
        """On the ports that it had: shoppers know no others."""
        if not self._balancer_child.is_running:
            self._wiring = replace(self._wiring, front_port=self.front.port, admin_port=self.admin.port)
            await self._open_balancer()
            await together(*(self._register(name, address) for name, address in self.addresses.items()))
        await self._until_up(self._running)

    async def store_figures(self) -> StoreFigures | None:
        return await self._store.figures() if self._store else None

    async def server_figures(self) -> dict[str, dict[str, float]]:
        names = self.arm.server_names
        found = await asyncio.gather(*(figures_at(self._http, self.servers[name].address) for name in names))
        return dict(zip(names, found, strict=True))

    async def sample(self) -> Sequence[ServerSample]:
        return await asyncio.gather(
            *(self.servers[name].sample(self._http) for name in self.arm.server_names)
        )

    def balancer_load(self) -> Load | None:
        return self._balancer_gauge.read()

    async def close(self) -> None:
        """After the processes have ended."""
        self._links.close()
        await self._http.close()
        if self._store:
            await self._store.forget()

    def _server(self, name: str) -> Server:
        self._check_known(name)
        return self.servers[name]

    async def _tell(self, server: str, path: str) -> None:
        url = f"{self._server(server).address.url}{path}"
        try:
            async with self._http.post(url) as answer:
                answer.raise_for_status()
        except aiohttp.ClientError as problem:
            raise EnvironmentProblem(f"POST {url} should be obeyed by {server}; {problem}.") from problem

    async def _open_store(self) -> Store:
        from lab.cluster import store  # noqa: PLC0415 - a store's client takes 0.2 s to import

        if self._redis_url:
            return await store.join(self._redis_url)
        name, keeps_log = f"{self.arm.slug}-store", self.arm.store_log
        return await store.start(self._family, find_binary(), name, keeps_log=keeps_log)

    async def _open_balancer(self) -> None:
        if self.arm.lb == OURS:
            program = programs.balancer(self.arm, self._wiring)
        else:
            program = programs.stand_in(self.arm, self._wiring, self._family.den)
        self._balancer_child = child = await self._family.start(program)
        said = await child.listening(START_DEADLINE)
        self._family.needs(child)
        self._balancer_gauge = Gauge(said["pid"])
        self._meet_balancer(
            Address(said["host"], said["port"]), Address(said["admin_host"], said["admin_port"])
        )

    async def _launch(self, name: str) -> None:
        store = self._store
        if store:
            store = replace(store, url=await self._links.store(name, store.url))
        child = await self._family.start(programs.server(self.arm, name, self._wiring, store))
        said = await child.listening(START_DEADLINE)
        self.servers[name] = Server(name, child, Address(said["host"], said["port"]))
        if "peer_port" in said:
            self._planes[name] = Address(said["peer_host"], said["peer_port"])

    async def _introduce(self, name: str) -> None:
        """Tell the balancer where it finds a server."""
        await self._register(name, await self._links.front(name, self.servers[name].address))

    async def _introduce_servers(self) -> None:
        """Those that run, to each other: whoever is gone hears of it when it comes back."""
        running = {name: plane for name, plane in self._planes.items() if self.servers[name].child.is_running}
        books = {
            name: {other: await self._links.peer(name, other, plane) for other, plane in running.items()}
            for name in running
        }
        await introduce(self._http, running, self._wiring.secret, books)


@asynccontextmanager
async def open_sites(
    arms: Sequence[Arm],
    family: Family,
    *,
    redis_url: str | None = None,
    links: Collection[Side] = (),
    clock: Callable[[], float] = time.monotonic,
    on_change: Callable[[ServerChanged], None] = lambda _: None,
) -> AsyncIterator[dict[str, ProcessSite]]:
    """All ``arms`` at once, by name, every server up; their processes end when the block ends.

    ``links`` are the sides on which a fault will want to stand in the middle. ``clock`` gives seconds since
    the run began; ``on_change`` hears of every server's change of state.
    """
    sites = {
        arm.name: ProcessSite(
            arm,
            family,
            Wiring(logs=family.logs, links=frozenset(links)),
            redis_url=redis_url,
            clock=clock,
            on_change=on_change,
        )
        for arm in arms
    }
    async with opened(sites.values(), family):
        yield sites


@asynccontextmanager
async def opened(sites: Collection[ProcessSite], family: Family) -> AsyncIterator[None]:
    try:
        await together(*(site.open() for site in sites))
        yield
    finally:
        for site in sites:
            site.stop_following()
        try:
            await family.end()
        finally:
            await together(*(site.close() for site in sites))
