"""What sites of every kind share: a balancer that is told where servers are, and followed."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import aiohttp

from lab.cluster.balancer import Balancer
from lab.cluster.errors import NotReady
from lab.errors import unknown
from lab.timeline import ServerChanged

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from pathlib import Path

    from lab.cluster.ports import Address
    from lab.topology import Arm

_UP_DEADLINE = 30.0
_LOOK_AGAIN = 0.1


class BalancedSite:
    """One arm behind its balancer. ``addresses`` are the servers' as the balancer must see them."""

    def __init__(
        self,
        arm: Arm,
        logs: Path,
        *,
        clock: Callable[[], float] = time.monotonic,
        on_change: Callable[[ServerChanged], None] = lambda _: None,
    ) -> None:
        self.arm = arm
        self.addresses: dict[str, Address] = {}
        self.sessions_moved = 0
        self._logs = logs
        self._clock = clock
        self._on_change = on_change
        self._http = aiohttp.ClientSession()
        self._news = asyncio.Event()
        self._following: asyncio.Task[None] | None = None

    @property
    def front(self) -> Address:
        return self._front

    @property
    def admin(self) -> Address:
        return self._admin

    def stop_following(self) -> None:
        if self._following:
            self._following.cancel()

    def _meet_balancer(self, front: Address, admin: Address) -> None:
        self._front, self._admin = front, admin
        self._balancer = Balancer(self._http, admin)
        self._following = asyncio.create_task(self._follow())

    async def _register(self, name: str, address: Address) -> None:
        self.addresses[name] = address
        await self._balancer.put_server(name, address)

    def _check_known(self, server: str) -> None:
        if server not in self.arm.server_names:
            raise unknown("server", server, self.arm.server_names)

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
                f"{_UP_DEADLINE:g} s; it says {'; '.join(missing)}. The logs are in {self._logs}."
            ) from None

    async def _not_up(self, names: Sequence[str]) -> list[str]:
        views = await self._balancer.servers()
        found = []
        for name in names:
            view = views.get(name)
            if view is None:
                found.append(f"{name} is unknown")
            elif view.state != "up" or view.address != str(self.addresses[name]):
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
                if renamed := await self._renamed(change):
                    self._on_change(renamed)

    async def _renamed(self, change: ServerChanged) -> ServerChanged | None:
        """By the server's name in the lab, where the balancer has its own; None to say nothing of it."""
        return change


async def together(*steps: Coroutine[Any, Any, object]) -> None:
    """All at once; the first failure cancels the others and comes out as itself."""
    tasks = [asyncio.ensure_future(step) for step in steps]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
