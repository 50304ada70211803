"""The store is stopped politely and started again at once, as by an upgrade: seconds without it, no loss.

It heals by itself, so its interval on the timeline ends when the store is back, not at an act.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from lab import acts
from lab.faults.store_fault import StoreFault

if TYPE_CHECKING:
    from lab.cluster.ports import StopsStore


@dataclass(slots=True)
class StoreRestart(StoreFault):
    name = "store-restart"
    did = "SIGTERM, and started again at once"
    undid = "back, with what its log kept"
    story = replace(acts.STORE_GONE, heal=None)

    site: StopsStore

    async def inflict(self) -> None:
        await self.site.stop_store()

    async def undo(self) -> None:
        await self.site.start_store()

    async def __aenter__(self) -> Self:
        await StoreFault.__aenter__(self)
        await self._heal()
        return self

    async def __aexit__(self, *exc: object) -> None:
        """It is back already."""
