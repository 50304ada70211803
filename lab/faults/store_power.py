"""The power goes: of the store's log there is left what was on the disk, and no more.

``kill -9`` cannot show this. What a process has written is the kernel's, and the kernel survives, so
with any fsync policy a killed store comes back whole. Here the log is cut, after the kill, to the
size that it had some time before: with ``appendfsync everysec``, one second ago is the worst
that is to be expected (a disk that is late with its fsync can make it two).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab import acts
from lab.faults.fault import Hits
from lab.faults.store_fault import StoreFault

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lab.cluster.ports import CutsPower
    from lab.topology import Arm


@dataclass(slots=True)
class StorePowerLoss(StoreFault):
    name = "store-power-loss"
    did = "SIGKILL, and its log cut to what was on the disk"
    undid = "back, without its last second"
    story = acts.POWER_LOST
    hits = Hits.CONTENT
    unit = "seconds since the last fsync"

    site: CutsPower

    async def inflict(self) -> None:
        on_disk = await self.site.store_log_size()
        await asyncio.sleep(self.amount)
        await self.site.cut_power(on_disk)

    async def undo(self) -> None:
        await self.site.start_store()

    @classmethod
    def misfit(cls, arms: Iterable[Arm]) -> str | None:
        listed = list(arms)
        if all(arm.store_log for arm in listed):
            return super(StorePowerLoss, cls).misfit(listed)
        return (
            f"--fault {cls.name} cuts the store's log, and here it keeps none: store-kill loses all the same."
        )
