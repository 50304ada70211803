"""What all ends of a server's process share: its memory goes with it, and to heal is to start it again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.faults.fault import ServerFault
from lab.topology import Platform

if TYPE_CHECKING:
    from lab.cluster.ports import Starts


@dataclass(slots=True)
class ServerCrash(ServerFault):
    undid = "back, memory empty"
    platforms = frozenset(Platform)

    site: Starts

    async def undo(self) -> None:
        await self.site.start(self.server)
