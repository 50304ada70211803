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
from lab.cluster.ports import StoreFigures, TellsFigures, TellsStore
from lab.errors import Aborted
from lab.faults import FAULTS, story_of
from lab.faults.fault import Hits
from lab.faults.together import together
from lab.gate import steady
from lab.history import History, Kind, Outcome, changed_elsewhere
from lab.judging import Pledge, pledge_of
from lab.ledger import BALANCER, STORE
from lab.timeline import OperationEnded, Sampled
from lab.workload.clock import PlanClock
from lab.workload.crowd import Crowd, fetch_catalogue, fetch_promises
from lab.workload.plan import FAST, SHOW
from lab.workload.shapes import LIVES, SHAPES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lab.acts import Act, Story
    from lab.cluster.ports import Site
    from lab.faults.fault import ServerFault
    from lab.history import Operation
    from lab.pace import Pace
    from lab.scenario import Injection
    from lab.settings import RunSettings
    from lab.timeline import Timeline
    from lab.workload.plan import Plan

#: Seconds between two looks at CPU, memory and carts of the servers.
SAMPLE_EVERY = 0.5
#: Plan seconds before the crash at which both arms are brought to the same step; the rush comes after it.
CALM_BEFORE_CRASH = 0.1
#: Seconds before the end of the rush at which the crash is ordered: later, its requests would be over.
INTO_THE_RUSH = 0.005
#: The share of the operations due by then that must have ended, in each arm; the others are in flight.
CRASH_AFTER = 0.95
#: Seconds for that. A request that was sent ends by itself after 10, so this is far more than enough.
CATCH_UP_WITHIN = 90.0
#: The share of the shopping after the crash after which a fault waits for no shopper to be moved any more.
LATEST = 0.9
#: Seconds that a final read has before a cart counts as unavailable.
READ_BACK_WITHIN = 10.0


@dataclass(slots=True)
class Run:
    """One round: arms that run together.

    ``now`` gives seconds since the run began; ``victims`` are the servers that were hit. A later round
    is given ``plan`` and ``victims`` of the first, so that all arms meet the same. ``pledges`` tell
    what each arm is judged against, ``store_use`` what shopping cost its store; only in a calm run, for
    a store that dies forgets what it counted. ``servers`` is what each server said of itself at the end.
    """

    settings: RunSettings
    sites: Mapping[str, Site]
    timeline: Timeline
    now: Callable[[], float]
    pace: Pace
    history: History = field(default_factory=History)
    victims: tuple[str, ...] = ()
    plan: Plan | None = None
    pledges: dict[str, Pledge] = field(default_factory=dict)
    store_use: dict[str, StoreFigures] = field(default_factory=dict)
    servers: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)

    async def play(self) -> None:
        """All acts. Whatever ends them early, every fault is healed before this returns."""
        self._announce(acts.STEADY)
        await asyncio.gather(*(steady(arm, self.sites[arm.name]) for arm in self.settings.arms))
        plan = self.plan = self.plan or await self._plan()
        await self._hear_the_promises()
        await self.pace.look(1.0)
        clock = PlanClock(self.now)
        async with AsyncExitStack() as stack:
            crowds = [await stack.enter_async_context(self._crowd(name, plan, clock)) for name in self.sites]
            await stack.enter_async_context(alongside(*map(self._watch, self.sites)))
            before = await self._store_figures()
            await self._shop_and_break(crowds, plan, clock)
            self.store_use = _differences(before, await self._store_figures())
            await self._ask_the_servers()
            self._announce(acts.READ_BACK)
            await asyncio.gather(*(crowd.read_back(within=READ_BACK_WITHIN) for crowd in crowds))
        await self.pace.look(1.0)

    async def _shop_and_break(self, crowds: list[Crowd], plan: Plan, clock: PlanClock) -> None:
        await self.pace.before(acts.SHOP.name)
        self._announce(acts.SHOP)
        injections = self.settings.injections
        async with alongside(*(crowd.shop() for crowd in crowds)) as shopping:
            clock.start()
            if injections:
                await self._until_the_crash(crowds, plan, clock)
                await self._broken(sorted(injections, key=lambda each: each.until), shopping, plan, clock)
            if injections and not all(job.done() for job in shopping):
                self._announce(acts.GO_BACK)
            await asyncio.gather(*shopping)
        await self.pace.look(1.5 if injections else 0.0)
        await self.pace.before(acts.READ_BACK.name)

    async def _broken(
        self,
        injections: Sequence[Injection],
        shopping: list[asyncio.Task[None]],
        plan: Plan,
        clock: PlanClock,
    ) -> None:
        """All of ``injections`` at once, each until its time; the outermost is the last to heal."""
        if not injections:
            await self.pace.look(2.0)
            self._announce(self._story.shop_on)
            return
        *sooner, last = injections
        async with together(self._faults(last.fault)):
            since = self.now()
            await self._broken(sooner, shopping, plan, clock)
            if last.until < 1:
                await clock.until(plan.after_crash(last.until))
                await self._moved(last.moved, since, plan, clock)
            else:
                await asyncio.gather(*shopping)
                await self.pace.look(1.0)
            if heal := self._story_of(last.fault).heal:
                await self.pace.before(acts.HEAL.name)
                self._announce(heal)

    async def _moved(self, shoppers: int, since: float, plan: Plan, clock: PlanClock) -> None:
        """Until in each arm so many of the victims' shoppers had a change acknowledged elsewhere.

        Where nobody is sent elsewhere nobody is waited for longer than people shop.
        """
        while clock.plan_time < plan.after_crash(LATEST) and any(
            changed_elsewhere(self.history.of_arm(arm), self.victims, since) < shoppers for arm in self.sites
        ):
            await asyncio.sleep(0.05)

    async def _until_the_crash(self, crowds: list[Crowd], plan: Plan, clock: PlanClock) -> None:
        """Until the planned moment, in the middle of the rush that fills the servers' hands.

        Shortly before it all later shopping waits until what was due is done: on a slow machine too,
        both arms have then done the same. A teacher may hold the shoppers there for longer.
        """
        calm = max(0.0, plan.crash_at - CALM_BEFORE_CRASH)
        lead = 0.0 if self.settings.fast else 1.5
        await clock.until(max(0.0, calm - lead))
        if self.pace.wait_for_enter is not None:
            clock.hold()
            await self.pace.before(acts.CRASH.name)
            clock.start()
        self._announce(self._story.crash)
        await clock.until(calm)
        clock.hold()
        await self._caught_up(crowds, CRASH_AFTER * plan.due_at(calm))
        self.victims = self.victims or self.settings.target.choose(self._carts_by_server())
        clock.start()
        await clock.until(plan.crash_at - INTO_THE_RUSH)

    async def _caught_up(self, crowds: list[Crowd], operations: float) -> None:
        """Return when each crowd has that many behind it; a site on which they never end is aborted."""
        patience = self.now() + CATCH_UP_WITHIN
        while any(crowd.done < operations for crowd in crowds):
            if self.now() > patience:
                done = ", ".join(str(crowd.done) for crowd in crowds)
                raise Aborted(
                    f"Waited {CATCH_UP_WITHIN:.0f} s for {operations:.0f} requests an arm to end before "
                    f"the crash; {done} did. The machine, or a server, is stuck: look at log/ in the "
                    "run's folder, run 'cartlab doctor', or send fewer people with --shoppers."
                )
            await asyncio.sleep(0.005)

    @property
    def _story(self) -> Story:
        return self._story_of(self.settings.injections[0].fault)

    def _story_of(self, fault: str) -> Story:
        return story_of(fault, self.settings.platform)

    def _faults(self, name: str) -> list[ServerFault]:
        kind = FAULTS[name]
        return [
            kind(arm.name, target, self.sites[arm.name], self.timeline, self.now)
            for arm in self.settings.arms
            for target in self._targets(kind.hits)
            if arm.needs_store or not kind.hits.on_store
        ]

    def _targets(self, hits: Hits) -> tuple[str, ...]:
        if hits is Hits.BALANCER:
            return (BALANCER,)
        return (STORE,) if hits.on_store else self.victims

    def _carts_by_server(self) -> dict[str, int]:
        """How many carts of the first arm live on each server: where its last acknowledged add went."""
        arm = self.settings.arms[0]
        adds = (
            op for op in self.history.of_arm(arm.name) if op.kind is Kind.ADD and op.outcome is Outcome.OK
        )
        homes = Counter({op.shopper: op.server for op in adds}.values())
        return {server: homes[server] for server in arm.server_names}

    async def _store_figures(self) -> dict[str, StoreFigures]:
        found = {}
        for name, site in self.sites.items():
            if not self.settings.injections and isinstance(site, TellsStore):
                figures = await site.store_figures()
                if figures:
                    found[name] = figures
        return found

    async def _ask_the_servers(self) -> None:
        for name, site in self.sites.items():
            if isinstance(site, TellsFigures):
                self.servers[name] = await site.server_figures()
            if use := self.store_use.get(name):
                keys: dict[str, float] = {"keys": use.keys, "keys_without_ttl": use.keys_without_ttl}
                self.servers.setdefault(name, {})[STORE] = keys

    async def _hear_the_promises(self) -> None:
        for arm in self.settings.arms:
            promises = await fetch_promises(self.sites[arm.name].front.url)
            self.pledges[arm.name] = pledge_of(self.settings, arm, promises)

    async def _plan(self) -> Plan:
        fronts = [site.front.url for site in self.sites.values()]
        catalogue = await fetch_catalogue(fronts[0])
        shape = FAST if self.settings.fast else SHOW
        ttl = self.settings.scenario.session_ttl
        shape = replace(
            shape,
            seconds=LIVES * ttl if ttl else max(shape.seconds, self.settings.scenario.lasts),
            keyless=self.settings.keyless / 100,
            max_rate=min(shape.max_rate, await rate_for_each(fronts)),
        )
        rng = Random(self.settings.seed)  # noqa: S311 - the same seed must give the same shoppers
        return SHAPES[self.settings.scenario.workload](rng, catalogue, self.settings.shoppers, shape)

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


def _differences(
    before: Mapping[str, StoreFigures], after: Mapping[str, StoreFigures]
) -> dict[str, StoreFigures]:
    """What came to each count meanwhile; keys that would last for ever are those that there are."""
    return {
        arm: StoreFigures(
            messages=now.messages - then.messages,
            bytes_in=now.bytes_in - then.bytes_in,
            bytes_out=now.bytes_out - then.bytes_out,
            memory=now.memory - then.memory,
            keys=now.keys - then.keys,
            keys_without_ttl=now.keys_without_ttl,
        )
        for arm, now in after.items()
        if (then := before.get(arm))
    }
