"""The store has no room: it refuses what is new, or makes room by forgetting somebody's cart.

Which of the two is one word of its configuration. ``noeviction`` is loud: a write is refused and surely
did not happen. ``volatile-lru`` is silent: every write is acknowledged, and carts that were
acknowledged before are gone, without an error anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from lab import acts
from lab.faults.fault import Hits
from lab.faults.store_fault import StoreFault

if TYPE_CHECKING:
    from lab.cluster.ports import FillsStore


@dataclass(slots=True)
class StoreFull(StoreFault):
    name = "store-full"
    did = "no room for more: writes are refused"
    undid = "room again"
    story = acts.STORE_FULL
    hits = Hits.CONTENT
    unit = "share of its data without room"
    usual = 0.5
    policy: ClassVar[str] = "noeviction"

    site: FillsStore

    async def inflict(self) -> None:
        await self.site.fill_store(self.amount, self.policy)

    async def undo(self) -> None:
        await self.site.free_store()


@dataclass(slots=True)
class StoreEvicts(StoreFull):
    name = "store-evicts"
    did = "no room for all: it forgets the carts that were used least"
    undid = "room again; what it forgot is gone"
    story = acts.STORE_FORGETS
    policy = "volatile-lru"
