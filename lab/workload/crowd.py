"""All shoppers of one arm.

How a run uses it, with one clock for both arms so that the crash meets both at the same step::

    clock = PlanClock(now)
    async with Crowd("sticky", url, plan, clock, now=now, record=history.add) as crowd:
        shopping = asyncio.create_task(crowd.shop())
        clock.start()
        await clock.until(plan.crash_at)   # mid-traffic: nobody is told to wait
        ...                                # the fault
        await shopping                     # everybody came back and is done
        ...                                # heal
        await crowd.read_back(within=5.0)

Cancelling ``shop`` or ``read_back`` ends at once; what was under way is recorded as *info*.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from lab.history import Kind
from lab.promises import promises_in
from lab.workload.catalogue import parse_catalogue
from lab.workload.client import Door
from lab.workload.shopper import Notebook, Shopper

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.history import Operation
    from lab.promises import Promises
    from lab.workload.catalogue import Product
    from lab.workload.clock import PlanClock
    from lab.workload.plan import Plan

#: Final reads under way at once: enough to keep two cores busy, no flood.
READERS = 32
#: Between two tries of a final read. Each try is an operation that the history shows.
PAUSE_BETWEEN_TRIES = 0.2


async def fetch_catalogue(url: str) -> tuple[Product, ...]:
    """What the site at ``url`` sells."""
    async with Door(url) as door, door.person() as person:
        return parse_catalogue((await person.get("/catalogue")).json)


async def fetch_promises(url: str) -> Promises:
    """What the servers of the site at ``url`` promise."""
    async with Door(url) as door, door.person() as person:
        return promises_in((await person.get("/promises")).json)


class Crowd:
    """``done`` of ``planned`` operations ended so far; ``read`` carts were read back."""

    def __init__(
        self,
        arm: str,
        url: str,
        plan: Plan,
        clock: PlanClock,
        *,
        now: Callable[[], float],
        record: Callable[[Operation], None],
        connections: int = 100,
        timeout: float = 10.0,
        patience: float = 60.0,
    ) -> None:
        self.planned = plan.operations
        self.done = 0
        self.read = 0
        self._clock = clock
        self._record = record
        self._door = Door(url, connections=connections, timeout=timeout, patience=patience)
        notebook = Notebook(arm, now, self._write_down)
        people = {script.shopper: self._door.person() for script in plan.scripts if script.tab == 0}
        self._shoppers = [Shopper(number, person, notebook) for number, person in people.items()]
        by_number = {shopper.number: shopper for shopper in self._shoppers}
        self._parts = [(by_number[script.shopper], script) for script in plan.scripts]

    async def shop(self) -> None:
        """Everybody follows their script; returns when the last one is done."""
        async with asyncio.TaskGroup() as group:
            for shopper, script in self._parts:
                group.create_task(shopper.follow(script, self._clock))

    async def read_back(self, *, within: float) -> None:
        """Read every cart through the front door, trying again those that were not shown.

        Ends when all were, or when no cart at all was shown for ``within`` seconds: so a large crowd
        gets the time it needs, and a dead site does not. What was not shown by then is
        *unavailable*; the oracle never calls it lost.
        """
        readers = asyncio.Semaphore(READERS)
        with suppress(TimeoutError):
            async with asyncio.timeout(within) as patience, asyncio.TaskGroup() as group:
                for shopper in self._shoppers:
                    group.create_task(self._read_one(shopper, readers, patience, within))

    async def close(self) -> None:
        await self._door.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _read_one(
        self, shopper: Shopper, readers: asyncio.Semaphore, patience: asyncio.Timeout, within: float
    ) -> None:
        while True:
            async with readers:
                if await shopper.look_for_the_judge():
                    break
            await asyncio.sleep(PAUSE_BETWEEN_TRIES)
        self.read += 1
        if not patience.expired():
            patience.reschedule(asyncio.get_running_loop().time() + within)

    def _write_down(self, operation: Operation) -> None:
        if operation.kind is not Kind.FINAL_READ:
            self.done += 1
        self._record(operation)
