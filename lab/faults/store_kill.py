"""SIGKILL to the store: what is in its log comes back with it, and nothing else.

``kill -9`` cannot show what a log's fsync policy loses: what the store has written is the kernel's,
and the kernel survives. It shows the log against no log.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.faults.store_fault import StoreFault

if TYPE_CHECKING:
    from lab.cluster.ports import KillsStore


@dataclass(slots=True)
class StoreKill(StoreFault):
    name = "store-kill"
    did = "SIGKILL, no goodbye"
    undid = "back, with what its log kept"

    site: KillsStore

    async def inflict(self) -> None:
        await self.site.kill_store()

    async def undo(self) -> None:
        await self.site.start_store()
