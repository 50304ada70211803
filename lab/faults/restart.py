"""Stopped and started again at once, as by a deployment: gone for a moment, and with it its memory.

It heals by itself, so its interval on the timeline ends when the server is back, not at an act.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self

from lab import acts
from lab.cluster.ports import Starts, Stops
from lab.faults.crash import ServerCrash


class StopsAndStarts(Stops, Starts, Protocol): ...


@dataclass(slots=True)
class Restart(ServerCrash):
    name = "restart"
    did = "SIGTERM, and started again at once"
    story = acts.RESTARTED

    site: StopsAndStarts

    async def inflict(self) -> None:
        await self.site.stop(self.server)

    async def __aenter__(self) -> Self:
        await ServerCrash.__aenter__(self)
        await self._heal()
        return self

    async def __aexit__(self, *exc: object) -> None:
        """It is back already."""
