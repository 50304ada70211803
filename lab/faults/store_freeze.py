"""SIGSTOP to the store: it looks alive to whoever only connects, and answers nobody.

The kernel accepts connections for a stopped process, so a check that connects and asks nothing calls
it healthy. What waited in its hands is carried out when it goes on, when nobody waits any more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.faults.store_fault import StoreFault

if TYPE_CHECKING:
    from lab.cluster.ports import FreezesStore


@dataclass(slots=True)
class StoreFreeze(StoreFault):
    name = "store-freeze"
    did = "frozen, its connections open"
    undid = "goes on, with all that it held"

    site: FreezesStore

    async def inflict(self) -> None:
        await self.site.freeze_store()

    async def undo(self) -> None:
        await self.site.thaw_store()
