"""One run on sites that stand: steady, shop, crash, shop on, heal, read back.

Both arms meet every act at the same moment, by one clock. Everything that happens goes to the
timeline, every request to the history; to judge them is somebody else's work.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from random import Random
from typing import TYPE_CHECKING

from lab import acts
from lab.alongside import alongside
from lab.capacity import rate_for_each
from lab.faults import FAULTS
from lab.faults.together import together
from lab.gate import steady
from lab.history import History, Kind, Outcome
from lab.timeline import OperationEnded, Sampled
from lab.workload.clock import PlanClock
from lab.workload.crowd import Crowd, fetch_catalogue
from lab.workload.plan import FAST, SHOW, make_plan

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lab.acts import Act
    from lab.cluster.ports import Site
    from lab.faults.crash import ServerCrash
    from lab.history import Operation
    from lab.pace import Pace
    from lab.settings import RunSettings
    from lab.timeline import Timeline
    from lab.workload.plan import Plan

#: Seconds between two looks at CPU, memory and carts of the servers.
SAMPLE_EVERY = 0.5
#: The share of the operations planned before the crash that must have ended, in each arm: the others are
#: in flight, which is where a crash is interesting.
CRASH_AFTER = 0.95
#: Seconds that a final read has before a cart counts as unavailable.
READ_BACK_WITHIN = 10.0


@dataclass(slots=True)
class Run:
    """``now`` gives seconds since the run began; ``victims`` are the servers that were hit."""

    settings: RunSettings
    sites: Mapping[str, Site]
    timeline: Timeline
    now: Callable[[], float]
    pace: Pace
    history: History = field(default_factory=History)
    victims: tuple[str, ...] = ()

    async def play(self) -> None:
        """All acts. Whatever ends them early, every fault is healed before this returns."""
        self._announce(acts.STEADY)
        await asyncio.gather(*(steady(arm, self.sites[arm.name]) for arm in self.settings.arms))
        plan = await self._plan()
        await self.pace.look(1.0)
        clock = PlanClock(self.now)
        async with AsyncExitStack() as stack:
            crowds = [await stack.enter_async_context(self._crowd(name, plan, clock)) for name in self.sites]
            await stack.enter_async_context(alongside(*map(self._watch, self.sites)))
            await self._shop_and_break(crowds, plan, clock)
            self._announce(acts.READ_BACK)
            await asyncio.gather(*(crowd.read_back(within=READ_BACK_WITHIN) for crowd in crowds))
        await self.pace.look(1.0)

    async def _shop_and_break(self, crowds: list[Crowd], plan: Plan, clock: PlanClock) -> None:
        await self.pace.before(acts.SHOP.name)
        self._announce(acts.SHOP)
        async with alongside(*(crowd.shop() for crowd in crowds)) as shopping:
            clock.start()
            if self.settings.fault is None:
                await asyncio.gather(*shopping)
                return
            await self._until_the_crash(crowds, plan, clock)
            async with together(self._faults()):
                await self.pace.look(2.0)
                self._announce(acts.SHOP_ON)
                await asyncio.gather(*shopping)
                await self.pace.look(1.0)
                await self.pace.before(acts.HEAL.name)
                self._announce(acts.HEAL)
        await self.pace.look(1.5)
        await self.pace.before(acts.READ_BACK.name)

    async def _until_the_crash(self, crowds: list[Crowd], plan: Plan, clock: PlanClock) -> None:
        """Wait for the planned step, in operations done and not only in seconds: on a slow machine too,
        the same shopping has happened in both arms. A teacher may hold the shoppers just before it.
        """
        lead = 0.1 if self.settings.fast else 1.5
        await clock.until(max(0.0, plan.crash_at - lead))
        if self.pace.wait_for_enter is not None:
            clock.hold()
            await self.pace.before(acts.CRASH.name)
            clock.start()
        self._announce(acts.CRASH)
        await clock.until(plan.crash_at)
        clock.hold()  # or those who are on time would be done before the crash that they are to meet
        while any(crowd.done < CRASH_AFTER * plan.due_at_crash for crowd in crowds):
            await asyncio.sleep(0.005)
        clock.start()
        self.victims = self.settings.target.choose(self._carts_by_server())

    def _faults(self) -> list[ServerCrash]:
        kind = FAULTS[self.settings.fault or ""]
        return [
            kind(name, victim, site, self.timeline, self.now)
            for name, site in self.sites.items()
            for victim in self.victims
        ]

    def _carts_by_server(self) -> dict[str, int]:
        """How many carts of the first arm live on each server: where its last acknowledged add went."""
        arm = self.settings.arms[0]
        adds = (
            op for op in self.history.of_arm(arm.name) if op.kind is Kind.ADD and op.outcome is Outcome.OK
        )
        homes = Counter({op.shopper: op.server for op in adds}.values())
        return {server: homes[server] for server in arm.server_names}

    async def _plan(self) -> Plan:
        fronts = [site.front.url for site in self.sites.values()]
        catalogue = await fetch_catalogue(fronts[0])
        shape = FAST if self.settings.fast else SHOW
        shape = replace(
            shape,
            keyless=self.settings.keyless / 100,
            max_rate=min(shape.max_rate, await rate_for_each(fronts)),
        )
        rng = Random(self.settings.seed)  # noqa: S311 - the same seed must give the same shoppers
        return make_plan(rng, catalogue, self.settings.shoppers, shape)

    def _crowd(self, arm: str, plan: Plan, clock: PlanClock) -> Crowd:
        url = self.sites[arm].front.url
        return Crowd(arm, url, plan, clock, now=self.now, record=self._write_down)

    def _write_down(self, operation: Operation) -> None:
        self.history.add(operation)
        self.timeline.record(OperationEnded(self.now(), operation.arm, operation))

    async def _watch(self, arm: str) -> None:
        site = self.sites[arm]
        while True:
            servers, balancer = tuple(await site.sample()), site.balancer_load()
            cpu = balancer.cpu if balancer else None
            self.timeline.record(Sampled(self.now(), arm, servers, cpu, site.sessions_moved))
            await asyncio.sleep(SAMPLE_EVERY)

    def _announce(self, act: Act) -> None:
        self.timeline.record(act.begins(self.now()))
