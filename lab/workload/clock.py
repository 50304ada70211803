"""Plan time: one clock for all crowds of a run, which can be held while somebody looks."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class PlanClock:
    """Runs with ``now`` (seconds since the run began), except while it is held.

    What a shopper meant to do at plan time t is meant for run time ``run_time(t)``; a hold moves
    all that has not begun yet, so looking at the screen is never counted as latency.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._zero = 0.0
        self._stopped_at: float | None = 0.0
        self._running = asyncio.Event()

    @property
    def plan_time(self) -> float:
        return self._now() - self._zero if self._stopped_at is None else self._stopped_at

    def run_time(self, plan_time: float) -> float:
        return self._zero + plan_time

    def start(self) -> None:
        """Begin, or go on after ``hold``."""
        if self._stopped_at is not None:
            self._zero = self._now() - self._stopped_at
            self._stopped_at = None
            self._running.set()

    def hold(self) -> None:
        """Stop: what was due by now may still begin, however late, but nothing later until ``start``.

        So whoever holds the clock can wait until all that was due has happened.
        """
        if self._stopped_at is None:
            self._stopped_at = self.plan_time
            self._running.clear()

    async def until(self, plan_time: float) -> None:
        while (left := plan_time - self.plan_time) >= 0:
            if self._stopped_at is None and left == 0:
                return
            if self._stopped_at is None:
                await asyncio.sleep(left)
            else:
                await self._running.wait()
