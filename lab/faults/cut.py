"""One server cut off one network, as by a pulled cable: it runs, and nobody on that side hears it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from lab import acts
from lab.cluster.ports import Side
from lab.faults.fault import Hits, ServerFault
from lab.topology import Platform

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lab.cluster.ports import Cuts
    from lab.topology import Arm


@dataclass(slots=True)
class Cut(ServerFault):
    side: ClassVar[Side]

    site: Cuts

    async def inflict(self) -> None:
        await self.site.cut(self.server, self.side)

    async def undo(self) -> None:
        await self.site.mend(self.server, self.side)


@dataclass(slots=True)
class CutFromBalancer(Cut):
    """To its shoppers as a pause: sessions move away, and their carts stay behind in its memory."""

    name = "cut-from-balancer"
    did = "off the balancer's network"
    undid = "on the balancer's network again"
    side = Side.BALANCER
    links = frozenset({Side.BALANCER})
    story = acts.CUT_OFF


@dataclass(slots=True)
class CutFromStore(Cut):
    """It says so in ``/ready``, and 503 to whoever comes before the balancer has looked."""

    name = "cut-from-store"
    did = "off the store's network"
    undid = "on the store's network again"
    side = Side.STORE
    links = frozenset({Side.STORE})
    story = acts.CUT_FROM_STORE

    @classmethod
    def misfit(cls, arms: Iterable[Arm]) -> str | None:
        without = [arm.name for arm in arms if not arm.needs_store]
        return _misfit(cls.name, without, "store", "stateless") if without else None


@dataclass(slots=True)
class CutFromServers(Cut):
    """It serves its shoppers on, and no copy leaves it: what it alone acknowledged can be lost."""

    name = "cut-from-servers"
    did = "off the network of the other servers"
    undid = "on the network of the other servers again"
    side = Side.SERVERS
    links = frozenset({Side.SERVERS})
    story = acts.CUT_FROM_SERVERS
    hits = Hits.SERVICE
    platforms = frozenset({Platform.PROCESSES})
    elsewhere = "there all servers meet on the balancer's network, and cannot be cut apart alone"

    @classmethod
    def misfit(cls, arms: Iterable[Arm]) -> str | None:
        without = [arm.name for arm in arms if not arm.has_peers]
        return _misfit(cls.name, without, "other server", "replicated") if without else None


def _misfit(fault: str, without: list[str], what: str, better: str) -> str:
    return (
        f"--fault {fault} makes no sense in the {' and '.join(without)} arm: its servers have no "
        f"{what} to be cut from. Leave it out, as with --arms {better}."
    )
