"""SIGKILL: the process is gone between two instructions, as with a power cut or the OOM killer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from lab.cluster.ports import Kills, Starts
from lab.faults.crash import ServerCrash


class KillsAndStarts(Kills, Starts, Protocol): ...


@dataclass(slots=True)
class Kill(ServerCrash):
    name = "kill"
    did = "SIGKILL, no goodbye"

    site: KillsAndStarts

    async def inflict(self) -> None:
        await self.site.kill(self.server)
