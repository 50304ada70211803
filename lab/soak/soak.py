"""The soak itself, on a site that stands: window after window, until time, trials or a promise is over."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from lab.alongside import alongside
from lab.cluster.ports import TellsStore
from lab.faults import FAULTS
from lab.gate import steady
from lab.history import carts_of
from lab.ledger import BALANCER, STORE
from lab.oracle import judge_carts
from lab.soak.blows import blows
from lab.soak.breach import LASTING_KEY, Breach, Price, weigh
from lab.soak.cohort import Cohort
from lab.soak.copies import until_whole
from lab.soak.story import story
from lab.soak.tally import Tally
from lab.soak.visits import visits
from lab.timeline import Timeline
from lab.workload.crowd import fetch_catalogue, fetch_promises

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lab.cluster.ports import Site
    from lab.history import Operation
    from lab.promises import Promises
    from lab.soak.blows import Blow
    from lab.soak.settings import SoakSettings
    from lab.timeline import Interval
    from lab.workload.catalogue import Product


@dataclass(slots=True)
class Soak:
    """``now`` gives seconds since the soak began; ``keep`` is given every window's operations and events."""

    settings: SoakSettings
    site: Site
    now: Callable[[], float]
    keep: Callable[[Sequence[Operation], Timeline], None]
    tally: Tally = field(default_factory=Tally)
    breach: Breach | None = None
    story: list[str] = field(default_factory=list)
    timeline: Timeline = field(default_factory=Timeline)
    _losses: Counter[Interval] = field(default_factory=Counter)
    _balancer_and_store: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def run(self) -> None:
        """Returns at the end or at the first broken promise; every fault is healed by then."""
        await steady(self.settings.arm, self.site)
        url = self.site.front.url
        catalogue = await fetch_catalogue(url)
        self.tally.promises = self.settings.judged_by(await fetch_promises(url))
        while not self._is_over():
            await self._window(catalogue, self.tally.promises)
            self.tally.windows += 1
        if self.breach is None:
            await self._look_for_lasting_keys()

    def _is_over(self) -> bool:
        if self.breach is not None:
            return True
        if self.settings.trials is not None:
            return sum(self.tally.faults.values()) >= self.settings.trials
        return self.now() >= self.settings.minutes * 60

    async def _window(self, catalogue: Sequence[Product], promises: Promises) -> None:
        settings, number = self.settings, self.tally.windows
        self.timeline = Timeline()
        rng = Random(f"{settings.seed}/{number}")  # noqa: S311 - the same seed must give the same window
        planned = visits(rng, catalogue, settings.shoppers, settings.window)
        lanes = blows(rng, settings.lanes(number), settings.window, settings.pace)
        first = number * settings.shoppers
        cohort = Cohort(settings.arm.name, self.site.front.url, planned, first, self.now)
        try:
            began = self.now()
            async with alongside(cohort.shop(), *(self._strike(lane, began) for lane in lanes)) as jobs:
                # Not gather: it would hand on a cancellation that the group hands on too, and who heals
                # is to be told only once.
                await asyncio.wait(jobs)
            await cohort.look()
        finally:
            await cohort.close()
            self.keep(cohort.operations, self.timeline)
        self._judge(cohort.operations, promises)

    async def _strike(self, lane: Sequence[Blow], began: float) -> None:
        for blow in lane:
            await asyncio.sleep(max(0.0, began + blow.at - self.now()))
            if self._has_had_enough(began):
                return
            self.tally.faults[blow.fault] += 1
            # Who heals a store asks the balancer whether all is well, so it has to be there.
            async with self._balancer_and_store if blow.target in (STORE, BALANCER) else nullcontext():
                await self._inflict(blow)
            await until_whole(self.site, self.settings.arm)

    async def _inflict(self, blow: Blow) -> None:
        kind = FAULTS[blow.fault]
        async with kind(self.settings.arm.name, blow.target, self.site, self.timeline, self.now):
            await asyncio.sleep(blow.hold)

    def _has_had_enough(self, began: float) -> bool:
        """No fault more without load, and no trial more than was asked for."""
        trials, done = self.settings.trials, sum(self.tally.faults.values())
        return self.now() >= began + self.settings.window or (trials is not None and done >= trials)

    def _judge(self, operations: Sequence[Operation], promises: Promises) -> None:
        faults = self.timeline.fault_intervals()
        carts = list(carts_of(operations))
        ledger = judge_carts(self.settings.arm.name, carts)
        self.tally.add(ledger, carts, faults)
        for cart, ops in zip(ledger.carts, carts, strict=True):
            found = weigh(cart, ops, faults, promises, store_log=self.settings.arm.store_log)
            if isinstance(found, Price):
                found = self._pay(found, promises, cart.shopper)
            if found and self.breach is None:
                self.breach, self.story = found, story(found, ops, faults)

    def _pay(self, price: Price, promises: Promises, shopper: int) -> Breach | None:
        """An announced loss; a breach after all when one server takes more along than it said."""
        self.tally.paid[price.promise] += price.pieces
        bound = promises.bounded_loss
        if price.blamed is None or bound is None or price.promise != "survives_server_crash":
            return None
        self._losses[price.blamed] += 1
        self.tally.most_at_once = max(self.tally.most_at_once, self._losses[price.blamed])
        if self._losses[price.blamed] <= bound:
            return None
        return Breach("bounded_loss", shopper, None, bound, bound, None)

    async def _look_for_lasting_keys(self) -> None:
        """What no crash may leave behind: a key that nobody will ever delete."""
        if not isinstance(self.site, TellsStore):
            return
        figures = await self.site.store_figures()
        self.tally.lasting_keys = figures.keys_without_ttl if figures else None
        if figures and figures.keys_without_ttl:
            self.breach = Breach(LASTING_KEY)
            many = f"of {figures.keys} keys in the store {figures.keys_without_ttl} have no time to live"
            self.story = [f"{self.now():8.3f} s  {many}"]
