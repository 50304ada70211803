"""One run of a throng: the same acts, but nobody waits for a plan's clock.

The shoppers are processes that go as fast as the site serves them. Who dies is hit while the last
adds before the fault are under way; everybody comes back only when the fault is there, so that no
cart's last add can hide on the other side of it.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from lab import acts
from lab.alongside import alongside
from lab.cluster.costs import Meter
from lab.errors import Aborted
from lab.faults.together import together
from lab.gate import steady
from lab.runner import CRASH_AFTER, READ_BACK_WITHIN, Run
from lab.timeline import Costed, Tallied
from lab.workload.crowd import fetch_catalogue
from lab.workload.throng.crowd import Crowd
from lab.workload.throng.orders import Prepare

if TYPE_CHECKING:
    from pathlib import Path

    from lab.archive import Archive
    from lab.cluster.family import Family
    from lab.topology import Arm
    from lab.workload.catalogue import Product

#: Shopper processes an arm, as many as keep two cores busy, and the connections of all of them.
PROCESSES = 2
CONNECTIONS = 64
#: Seconds for a request, as with every other crowd.
ANSWERED_WITHIN = 10.0
#: Seconds in which at least one request of the crowd must end, or the site is stuck.
STUCK_AFTER = 60.0
_LOOK_AGAIN = 0.02
_TELLINGS_A_LOOK = 5
#: Seconds between two looks at what everybody uses: each asks the system about every process.
_COSTS_EVERY = 1.0


@dataclass(slots=True, kw_only=True)
class Onrush(Run):
    """``family`` starts the shoppers, who write to ``folder``; ``zero`` is when the run began."""

    family: Family
    folder: Path
    zero: float
    archive: Archive

    async def play(self) -> None:
        self._announce(acts.STEADY)
        await asyncio.gather(*(steady(arm, self.sites[arm.name]) for arm in self.settings.arms))
        await self._hear_the_promises()
        catalogue = await fetch_catalogue(next(iter(self.sites.values())).front.url)
        await self.pace.look(1.0)
        async with AsyncExitStack() as stack:
            crowds = [await self._throng(stack, arm, catalogue) for arm in self.settings.arms]
            meters = [Meter(self.family, arm.slug) for arm in self.settings.arms]
            began = self.now()
            watches = [*map(self._watch, self.sites), _unless_stuck(crowds), self._tell(crowds, meters)]
            async with alongside(*watches):
                await self._shop(crowds)
                self._announce(acts.READ_BACK)
                await asyncio.gather(*(crowd.read_back(within=READ_BACK_WITHIN) for crowd in crowds))
            self._account(crowds, meters, began)
        await self.pace.look(1.0)

    async def _shop(self, crowds: list[Crowd]) -> None:
        await self.pace.before(acts.SHOP.name)
        self._announce(acts.SHOP)
        async with alongside(*(crowd.fill() for crowd in crowds)) as filling:
            if not self.settings.injections:
                await asyncio.gather(*filling, *(crowd.come_back() for crowd in crowds))
                return
            await self._until_nearly_full(crowds)
            async with AsyncExitStack() as broken:
                for injection in self.settings.injections:
                    await broken.enter_async_context(together(self._faults(injection.fault)))
                self._announce(self._story.shop_on)
                await asyncio.gather(*filling)
                await asyncio.gather(*(crowd.come_back() for crowd in crowds))
                await self.pace.look(1.0)
                if self._story.heal:
                    await self.pace.before(acts.HEAL.name)
                    self._announce(self._story.heal)
        await self.pace.look(1.5)
        await self.pace.before(acts.READ_BACK.name)

    async def _until_nearly_full(self, crowds: list[Crowd]) -> None:
        """Until the last adds before the fault are under way: the servers have them in their hands."""
        while any(crowd.tally.done < CRASH_AFTER * crowd.filling for crowd in crowds):
            await asyncio.sleep(_LOOK_AGAIN)
        await self.pace.before(acts.CRASH.name)
        self._announce(self._story.crash)
        homes = crowds[0].tally.homes
        carts = {server: homes.get(server, 0) for server in self.settings.arms[0].server_names}
        self.victims = self.victims or self.settings.target.choose(carts)

    async def _throng(self, stack: AsyncExitStack, arm: Arm, catalogue: tuple[Product, ...]) -> Crowd:
        front = self.sites[arm.name].front
        processes = min(PROCESSES, self.settings.shoppers)
        share, more = divmod(self.settings.shoppers, processes)
        firsts = [number * share + min(number, more) for number in range(processes + 1)]
        people = [
            Prepare(
                arm=arm.name,
                host=front.host,
                port=front.port,
                seed=self.settings.seed,
                keyless=self.settings.keyless / 100,
                first=first,
                count=after - first,
                connections=CONNECTIONS // processes,
                zero=self.zero,
                timeout=ANSWERED_WITHIN,
                catalogue=catalogue,
            )
            for first, after in pairwise(firsts)
        ]
        crowd = Crowd(self.family, arm.slug, people, self.folder)
        # First, for it is done last: the files are whole only when the crowd has gone.
        stack.callback(lambda: self.archive.parts.update({arm.name: crowd.parts}))
        return await stack.enter_async_context(crowd)

    async def _tell(self, crowds: list[Crowd], meters: list[Meter]) -> None:
        while True:
            for _ in range(_TELLINGS_A_LOOK):
                for arm, crowd in zip(self.settings.arms, crowds, strict=True):
                    self.timeline.record(_tallied(self.now(), arm.name, crowd))
                await asyncio.sleep(_COSTS_EVERY / _TELLINGS_A_LOOK)
            for meter in meters:
                meter.look()

    def _account(self, crowds: list[Crowd], meters: list[Meter], began: float) -> None:
        for arm, crowd, meter in zip(self.settings.arms, crowds, meters, strict=True):
            meter.look()
            now, requests = self.now(), crowd.tally.requests
            self.timeline.record(_tallied(now, arm.name, crowd))
            self.timeline.record(
                Costed(now, arm.name, requests, now - began, meter.cpu, meter.memory, meter.shares)
            )


async def _unless_stuck(crowds: list[Crowd]) -> None:
    """Raise when nobody got any further for a while; a teacher's pause is none of that."""
    before, patience = -1, STUCK_AFTER
    while True:
        await asyncio.sleep(_LOOK_AGAIN)
        requests = sum(crowd.tally.requests for crowd in crowds)
        is_waiting = not any(crowd.is_walking for crowd in crowds)
        patience = STUCK_AFTER if is_waiting or requests != before else patience - _LOOK_AGAIN
        before = requests
        if patience < 0:
            raise Aborted(
                f"No request ended for {STUCK_AFTER:.0f} s, {requests:,} having ended before. The machine, "
                "or a server, is stuck: look at log/ in the run's folder, run 'cartlab doctor', or send "
                "fewer people with --shoppers."
            )


def _tallied(at: float, arm: str, crowd: Crowd) -> Tallied:
    tally = crowd.tally
    return Tallied(
        at,
        arm,
        tally.requests,
        crowd.planned,
        tally.failed,
        tally.unknown,
        tally.elsewhere,
        tally.filled,
        tally.lost,
        tally.unanswered,
        tally.answers,
    )
