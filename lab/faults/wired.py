"""What all faults between two programs share: a rule on the links there, which the fault proxy keeps.

The rule is in force as long as this process holds a connection to the proxy. Whoever kills the
driver heals the network.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from lab.cluster.ports import Side
from lab.faults.fault import ServerFault
from lab.topology import Platform

if TYPE_CHECKING:
    from lab.cluster.ports import Disturbs
    from lab.wire.rule import Rule


@dataclass(slots=True)
class Wired(ServerFault):
    side: ClassVar[Side] = Side.BALANCER
    platforms = frozenset({Platform.PROCESSES})
    elsewhere = "the fault proxy stands between processes; containers have networks that can be cut"
    links = frozenset({Side.BALANCER})

    site: Disturbs

    @abstractmethod
    def rule(self) -> Rule: ...

    async def inflict(self) -> None:
        await self.site.disturb(self.server, self.side, self.rule())

    async def undo(self) -> None:
        await self.site.calm(self.server, self.side)
