"""A site of real processes on this machine: a balancer, cart servers, a store if needed.

Everything starts at once. Servers learn their ports from the system and say them on their first
line of output; the balancer is told over its admin API, so that a server which starts again on
another port is nothing special.
"""

from __future__ import annotations

import asyncio
import signal
import time
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import aiohttp

from lab.cluster import programs
from lab.cluster.balancer import Balancer
from lab.cluster.errors import NotReady
from lab.cluster.gauge import Gauge
from lab.cluster.ports import Address
from lab.cluster.programs import Wiring
from lab.cluster.server import Server
from lab.cluster.store_binary import find_binary
from lab.errors import EnvironmentProblem, unknown
from lab.timeline import ServerChanged
from lab.topology import OURS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Sequence
    from typing import Any

    from lab.cluster.family import Family
    from lab.cluster.gauge import Load
    from lab.cluster.store import Store
    from lab.timeline import ServerSample
    from lab.topology import Arm

START_DEADLINE = 30.0
_UP_DEADLINE = 30.0
_CRASH_DEADLINE = 10.0
#: Seconds that a server told to stop has before it is made to: what an engine grants a container.
_STOP_GRACE = 10.0
_LOOK_AGAIN = 0.1


class ProcessSite:
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
        self.arm = arm
        self.servers: dict[str, Server] = {}
        self.sessions_moved = 0
        self._family = family
        self._wiring = wiring
        self._redis_url = redis_url
        self._clock = clock
        self._on_change = on_change
        self._http = aiohttp.ClientSession()
        self._news = asyncio.Event()
        self._store: Store | None = None
        self._following: asyncio.Task[None] | None = None

    @property
    def front(self) -> Address:
        return self._front

    @property
    def admin(self) -> Address:
        return self._admin

    @property
    def store(self) -> str | None:
        return self._store.version if self._store else None

    async def open(self) -> None:
        """Start everything; returns when the balancer calls every server up."""
        # First, for the servers are told its URL; it starts in a fraction of the time that they take.
        if self.arm.needs_store:
            self._store = await self._open_store()
        await together(self._open_balancer(), *map(self._launch, self.arm.server_names))
        await together(*map(self._register, self.arm.server_names))
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
            await self._register(server)
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

    async def sample(self) -> Sequence[ServerSample]:
        return await asyncio.gather(
            *(self.servers[name].sample(self._http) for name in self.arm.server_names)
        )

    def balancer_load(self) -> Load | None:
        return self._balancer_gauge.read()

    def stop_following(self) -> None:
        if self._following:
            self._following.cancel()

    async def close(self) -> None:
        """After the processes have ended."""
        await self._http.close()
        if self._store:
            await self._store.forget()

    def _server(self, name: str) -> Server:
        if name not in self.servers:
            raise unknown("server", name, self.servers)
        return self.servers[name]

    async def _open_store(self) -> Store:
        from lab.cluster import store  # noqa: PLC0415 - a store's client takes 0.2 s to import

        if self._redis_url:
            return await store.join(self._redis_url)
        return await store.start(self._family, find_binary(), f"{self.arm.slug}-store")

    async def _open_balancer(self) -> None:
        if self.arm.lb == OURS:
            program = programs.balancer(self.arm, self._wiring)
        else:
            program = programs.stand_in(self.arm, self._wiring, self._family.den)
        child = await self._family.start(program)
        said = await child.listening(START_DEADLINE)
        self._family.needs(child)
        self._front = Address(said["host"], said["port"])
        self._admin = Address(said["admin_host"], said["admin_port"])
        self._balancer = Balancer(self._http, self._admin)
        self._balancer_gauge = Gauge(said["pid"])
        self._following = asyncio.create_task(self._follow())

    async def _launch(self, name: str) -> None:
        child = await self._family.start(programs.server(self.arm, name, self._wiring, self._store))
        said = await child.listening(START_DEADLINE)
        self.servers[name] = Server(name, child, Address(said["host"], said["port"]))

    async def _register(self, name: str) -> None:
        await self._balancer.put_server(name, self.servers[name].address)

    async def _until_up(self, names: Sequence[str]) -> None:
        missing = ["nothing"]
        try:
            async with asyncio.timeout(_UP_DEADLINE):
                while missing := await self._not_up(names):
                    self._news.clear()
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._news.wait(), _LOOK_AGAIN)
        except TimeoutError:
            raise NotReady(
                f"The balancer of the {self.arm.name} arm should call {', '.join(names)} up within "
                f"{_UP_DEADLINE:g} s; it says {'; '.join(missing)}. "
                f"The logs are in {self._wiring.logs}."
            ) from None

    async def _not_up(self, names: Sequence[str]) -> list[str]:
        views = await self._balancer.servers()
        found = []
        for name in names:
            view = views.get(name)
            if view is None:
                found.append(f"{name} is unknown")
            elif view.state != "up" or view.address != str(self.servers[name].address):
                found.append(f"{name} is {view.state} ({view.cause})")
        return found

    async def _follow(self) -> None:
        async for event in self._balancer.events():
            self._news.set()
            if event["kind"] == "moved":
                self.sessions_moved += 1
            elif event["kind"] == "server":
                at = self._clock() - (time.time() - event["at"])
                change = ServerChanged(at, self.arm.name, event["server"], event["to"], event["cause"] or "")
                self._on_change(change)


@asynccontextmanager
async def open_sites(
    arms: Sequence[Arm],
    family: Family,
    *,
    redis_url: str | None = None,
    clock: Callable[[], float] = time.monotonic,
    on_change: Callable[[ServerChanged], None] = lambda _: None,
) -> AsyncIterator[dict[str, ProcessSite]]:
    """All ``arms`` at once, by name, every server up; their processes end when the block ends.

    ``clock`` gives seconds since the run began; ``on_change`` hears of every server's change of state.
    """
    sites = {
        arm.name: ProcessSite(
            arm, family, Wiring(logs=family.logs), redis_url=redis_url, clock=clock, on_change=on_change
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


async def together(*steps: Coroutine[Any, Any, object]) -> None:
    """All at once; the first failure cancels the others and comes out as itself."""
    tasks = [asyncio.ensure_future(step) for step in steps]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
