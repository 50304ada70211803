"""The balancer dies and comes back on its port: what it had learned is gone, what clients carry is not.

A table in its memory dies with it, as carts do with their server. A cookie or a hash ties its shopper to
the same server as before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from lab import acts
from lab.faults.fault import Hits, ServerFault
from lab.topology import OURS, Platform

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lab.cluster.ports import RestartsBalancer
    from lab.topology import Arm


@dataclass(slots=True)
class BalancerRestart(ServerFault):
    name = "balancer-restart"
    did = "SIGKILL, and started again at once"
    undid = "back on its port, its table empty"
    story = acts.BALANCER_GONE
    hits = Hits.BALANCER
    platforms = frozenset({Platform.PROCESSES})
    elsewhere = "there nobody would tell a new balancer of its servers"

    site: RestartsBalancer

    async def inflict(self) -> None:
        await self.site.kill_balancer()

    async def undo(self) -> None:
        await self.site.start_balancer()

    @classmethod
    def misfit(cls, arms: Iterable[Arm]) -> str | None:
        others = sorted({arm.lb for arm in arms if arm.lb != OURS})
        return f"--fault {cls.name} restarts the lab's own balancer, not {others[0]}." if others else None

    async def __aenter__(self) -> Self:
        await ServerFault.__aenter__(self)
        await self._heal()
        return self

    async def __aexit__(self, *exc: object) -> None:
        """It is back already."""
