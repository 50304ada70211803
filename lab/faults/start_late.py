"""Stopped, and back only after a while: a deployment whose new process takes its time to start.

It heals by itself, so its interval on the timeline ends when the server is back, not at an act.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from lab.faults.restart import Restart
from lab.topology import Platform


@dataclass(slots=True)
class StartLate(Restart):
    name = "start-late"
    did = "SIGTERM, and its successor is slow to start"
    undid = "back at last, memory empty"
    platforms = frozenset({Platform.PROCESSES, Platform.DOCKER})
    unit = "seconds until it starts"
    usual = 2.0

    async def inflict(self) -> None:
        await self.site.stop(self.server)
        await asyncio.sleep(self.amount)
