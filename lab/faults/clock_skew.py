"""One server believes that it is later than it is. Who goes by the wall clock is deceived, and only they.

The machine's clock is not touched, which would take root: the server is told, as it lets itself be
where chaos is on. A cart that its shopper carries has a time written on it, and a server that
is an hour ahead calls it expired. Carts in memory go by a monotonic clock and carts in a store by the
store's, so neither notices.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab import acts
from lab.faults.fault import Hits, ServerFault
from lab.topology import Platform

if TYPE_CHECKING:
    from lab.cluster.ports import SkewsClock


@dataclass(slots=True)
class ClockSkew(ServerFault):
    name = "clock-skew"
    did = "believes that it is an hour later"
    undid = "its clock is right again"
    story = acts.SKEWED
    hits = Hits.SERVICE
    platforms = frozenset({Platform.PROCESSES})
    elsewhere = "there the lab reaches a server only through its balancer"
    unit = "seconds ahead"
    usual = 3600.0
    graded = True

    site: SkewsClock

    async def inflict(self) -> None:
        await self.site.skew_clock(self.server, self.amount)

    async def undo(self) -> None:
        await self.site.skew_clock(self.server, 0.0)
