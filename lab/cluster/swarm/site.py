"""One arm on Swarm. Who is which server is Swarm's business, and changes whenever it replaces a task."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lab.cluster.compose.blueprint import ADMIN_PORT, FRONT_PORT, front_network
from lab.cluster.compose.holding import Holding
from lab.cluster.compose.site import ComposeSite
from lab.cluster.errors import NotReady
from lab.cluster.ports import Address
from lab.cluster.site import together
from lab.cluster.swarm.blueprint import PREFIX, SERVER_PORT, service_name
from lab.cluster.swarm.tasks import Task, newest
from lab.cluster.swarm.tunnel import tunnel

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from docker.models.containers import Container

    from lab.timeline import ServerChanged

#: The bridge on which every container of a stack meets its node, and none meets another.
_GATEWAY_BRIDGE = "docker_gwbridge"
#: Twelve servers and their health checks on two cores.
_RUNS_WITHIN = 90.0
_LOOK_AGAIN = 0.2
_NOWHERE = Address("0.0.0.0", 0)


class SwarmSite(ComposeSite):
    """``SwarmStack`` deploys its services before ``open`` and removes them after ``close``.

    ``addresses`` are those that the balancer found by itself, by asking the DNS for the tasks.
    """

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._tasks: dict[str, Task] = {}
        self._former: list[Holding] = []
        self._looking = asyncio.Lock()
        self._ways = AsyncExitStack()

    async def open(self, containers: Iterable[Container] = ()) -> None:  # noqa: ARG002 - Swarm makes them
        """Returns when the balancer calls every server up."""
        await self._until_tasks_run()
        await together(self._hold("lb"), *([self._hold("store")] if self.arm.needs_store else []))
        balancer = self.holdings["lb"]
        admin = await self._ways.enter_async_context(tunnel(balancer.id, ADMIN_PORT))
        front = Address(await self._gateway_address(balancer.id), FRONT_PORT)
        self._meet_balancer(front, admin)
        await together(self._ask_store(), self._until_up(self.arm.server_names))
        await self._weigh_all()
        self._weighing = asyncio.create_task(self._weigh())

    async def start(self, server: str) -> None:
        """Nothing to do but to wait: Swarm starts another in its place."""
        self._check_known(server)
        await self._until_up([server])

    async def write_logs(self) -> None:
        await super().write_logs()
        await asyncio.gather(*(held.write_log() for held in self._former))

    async def close(self) -> None:
        await super().close()
        await self._ways.aclose()

    async def _until_tasks_run(self) -> None:
        """Until Swarm calls every task running, which it does once its health check has passed."""
        roles = ("lb", "cart", *(("store",) if self.arm.needs_store else ()))
        missing = ["nothing"]
        try:
            async with asyncio.timeout(_RUNS_WITHIN):
                while missing := [said for role in roles for said in await self._not_running(role)]:
                    await asyncio.sleep(_LOOK_AGAIN)
        except TimeoutError:
            raise NotReady(
                f"Swarm should have every task of the {self.arm.name} arm running within {_RUNS_WITHIN:g} s; "
                f"it says {'; '.join(missing)}. The stack is log/stack.json in the run's folder."
            ) from None

    async def _not_running(self, role: str) -> list[str]:
        wanted = self.arm.servers if role == "cart" else 1
        tasks = await self._tasks_of(role)
        waiting = [f"{role} {task.slot} is {task.state} {task.problem}" for task in tasks if not task.runs]
        return waiting or ([] if len(tasks) == wanted else [f"{role} has {len(tasks)} tasks of {wanted}"])

    async def _tasks_of(self, role: str) -> list[Task]:
        service = f"{self._owner.project}_{service_name(self.arm, role)}"
        told = await self._engine.do(self._engine.client.api.tasks, filters={"service": service})
        return list(newest(told, f"{self._owner.project}_{front_network(self.arm)}").values())

    async def _hold(self, role: str) -> None:
        (task,) = await self._tasks_of(role)
        self.holdings[role] = await self._holding(role, task, self._logs / f"{self.arm.slug}-{role}.log")

    async def _holding(self, name: str, task: Task, log: Any) -> Holding:
        container = await self._engine.do(self._engine.client.containers.get, task.container)
        return Holding(self._engine, container, log, name=name)

    async def _gateway_address(self, container: str) -> str:
        bridge = await self._engine.do(self._engine.client.networks.get, _GATEWAY_BRIDGE)
        there: Mapping[str, dict[str, str]] = bridge.attrs["Containers"]
        if container not in there:
            raise NotReady(
                f"{container[:12]} should be on the bridge {_GATEWAY_BRIDGE}, by which its node reaches it; "
                "the engine knows of no address there."
            )
        return there[container]["IPv4Address"].partition("/")[0]

    async def _look(self) -> None:
        """Learn who bears which name now."""
        async with self._looking:
            for task in await self._tasks_of("cart"):
                name = f"server-{task.slot}"
                known = self._tasks.get(name)
                if task.container and task.host and (known is None or known.id != task.id):
                    await self._take(name, task, is_first=known is None)

    async def _take(self, name: str, task: Task, *, is_first: bool) -> None:
        suffix = "" if is_first else f"-{len(self._former) + 2}"
        held = await self._holding(name, task, self._logs / f"{self.arm.slug}-{name}{suffix}.log")
        self._doors[name] = Address(await self._gateway_address(held.id), SERVER_PORT)
        if name in self.holdings:
            self._former.append(self.holdings[name])
        self.holdings[name] = held
        self.addresses[name] = Address(task.host, SERVER_PORT)
        self._tasks[name] = task

    async def _not_up(self, names: Iterable[str]) -> list[str]:
        await self._look()
        views = await self._balancer.servers()
        found = []
        for name in names:
            if name in self.holdings and self.holdings[name].is_end_expected:
                found.append(f"{name} is not replaced yet")
                continue
            address = self.addresses.get(name, _NOWHERE)
            view = views.get(f"{PREFIX}-{address.host}")
            if view is None:
                found.append(f"{name} is not found yet")
            elif view.state != "up":
                found.append(f"{name} is {view.state} ({view.cause})")
        return found

    async def _renamed(self, change: ServerChanged) -> ServerChanged | None:
        """The balancer speaks of addresses; what it says of one that no task has any more is over."""
        if change.server not in (known := self._found_as()):
            await self._look()
            known = self._found_as()
        name = None if change.cause.startswith("no longer found") else known.get(change.server)
        return replace(change, server=name) if name else None

    def _found_as(self) -> dict[str, str]:
        return {f"{PREFIX}-{address.host}": name for name, address in self.addresses.items()}
