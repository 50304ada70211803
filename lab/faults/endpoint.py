"""``POST /crash``: the process is told to die and does so after its delay, as in the classic demo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from lab.cluster.ports import Crashes, Starts
from lab.faults.crash import ServerCrash


class CrashesAndStarts(Crashes, Starts, Protocol): ...


@dataclass(slots=True)
class Endpoint(ServerCrash):
    name = "endpoint"
    did = "POST /crash"

    site: CrashesAndStarts

    async def inflict(self) -> None:
        await self.site.crash(self.server)
