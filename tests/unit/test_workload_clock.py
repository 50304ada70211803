from __future__ import annotations

import asyncio

from lab.workload.clock import PlanClock


class Watch:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


async def begun(clock: PlanClock, *steps: float) -> list[float]:
    """Which ``steps`` may begin now."""
    found: list[float] = []

    async def step(at: float) -> None:
        await clock.until(at)
        found.append(at)

    tasks = [asyncio.create_task(step(at)) for at in steps]
    for _ in range(3):
        await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    return found


async def test_nobody_begins_before_the_start() -> None:
    assert await begun(PlanClock(Watch()), 0.0, 0.1) == []


async def test_while_it_is_held_what_was_due_still_begins_and_nothing_later() -> None:
    watch = Watch()
    clock = PlanClock(watch)
    clock.start()
    watch.seconds += 5
    clock.hold()
    assert await begun(clock, 1.0, 4.9, 5.0, 6.0) == [1.0, 4.9]


async def test_after_a_hold_the_plan_goes_on_where_it_stood() -> None:
    watch = Watch()
    clock = PlanClock(watch)
    clock.start()
    watch.seconds += 5
    clock.hold()
    watch.seconds += 60
    assert clock.plan_time == 5
    clock.start()
    watch.seconds += 1
    assert clock.plan_time == 6
    assert await begun(clock, 5.5, 7.0) == [5.5]
