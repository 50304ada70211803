"""The people of one window: they shop, they look once more, and what they did is kept cart by cart."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from lab.history import Kind, Outcome
from lab.workload.client import Door
from lab.workload.crowd import PAUSE_BETWEEN_TRIES, READERS
from lab.workload.shopper import Notebook, Shopper

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lab.history import Operation
    from lab.soak.visits import Visit
    from lab.workload.plan import Step

#: Seconds for which a last look is tried anew; the site is whole by then.
LOOK_WITHIN = 15.0
#: A request that was sent ends after so many seconds. A frozen server must not hold a window for ever.
_ANSWER_WITHIN = 5.0


class Cohort:
    """Numbers its people from ``first`` on; ``now`` gives seconds since the soak began."""

    def __init__(
        self,
        arm: str,
        url: str,
        visits: Sequence[Sequence[Visit]],
        first: int,
        now: Callable[[], float],
    ) -> None:
        self.operations: list[Operation] = []
        self._visits = visits
        self._now = now
        self._door = Door(url, timeout=_ANSWER_WITHIN)
        notebook = Notebook(arm, now, self.operations.append)
        self._people = [Shopper(first + each, self._door.person(), notebook) for each in range(len(visits))]

    async def shop(self) -> None:
        began = self._now()
        async with asyncio.TaskGroup() as group:
            for shopper, visits in zip(self._people, self._visits, strict=True):
                group.create_task(self._follow(shopper, visits, began))

    async def look(self) -> None:
        """Everybody reads their cart once, and again until it was shown or the time is over."""
        readers = asyncio.Semaphore(READERS)
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_WITHIN), asyncio.TaskGroup() as group:
                for shopper in self._people:
                    group.create_task(_look(shopper, readers))

    async def close(self) -> None:
        await self._door.close()

    async def _follow(self, shopper: Shopper, visits: Sequence[Visit], began: float) -> None:
        has_cart = False
        for visit in visits:
            await asyncio.sleep(max(0.0, began + visit.at - self._now()))
            has_cart |= await self._visit(shopper, visit, began, has_cart=has_cart)

    async def _visit(self, shopper: Shopper, visit: Visit, began: float, *, has_cart: bool) -> bool:
        """Whether the shopper has a cart now: before, several tabs would begin one each."""

        def act(step: Step) -> asyncio.Task[Operation]:
            return asyncio.create_task(shopper.act(step, intended=began + step.at))

        if has_cart:
            done = await asyncio.gather(*map(act, visit.steps))
        else:
            done = [await act(step) for step in visit.steps]
        if visit.again:
            done.append(await act(visit.steps[0]))
        return any(op.kind is Kind.ADD and op.outcome is Outcome.OK for op in done)


async def _look(shopper: Shopper, readers: asyncio.Semaphore) -> None:
    while True:
        async with readers:
            if await shopper.look_for_the_judge():
                return
        await asyncio.sleep(PAUSE_BETWEEN_TRIES)
