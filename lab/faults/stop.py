"""SIGTERM: the process finishes what it serves and leaves. Its memory is gone all the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from lab import acts
from lab.cluster.ports import Starts, Stops
from lab.faults.crash import ServerCrash


class StopsAndStarts(Stops, Starts, Protocol): ...


@dataclass(slots=True)
class Stop(ServerCrash):
    name = "stop"
    did = "SIGTERM, with time to finish"
    story = acts.STOPPED

    site: StopsAndStarts

    async def inflict(self) -> None:
        await self.site.stop(self.server)
