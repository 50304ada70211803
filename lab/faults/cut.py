"""One server cut off one network, as by a pulled cable: it runs, and nobody on that side hears it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from lab import acts
from lab.cluster.ports import Side
from lab.faults.fault import ServerFault
from lab.topology import Platform

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lab.cluster.ports import Cuts
    from lab.topology import Arm


@dataclass(slots=True)
class Cut(ServerFault):
    side: ClassVar[Side]
    platforms = frozenset({Platform.DOCKER})
    elsewhere = "processes of one machine share its loopback, and none has a network of its own"

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
    story = acts.CUT_OFF


@dataclass(slots=True)
class CutFromStore(Cut):
    """It says so in ``/ready``, and 503 to whoever comes before the balancer has looked."""

    name = "cut-from-store"
    did = "off the store's network"
    undid = "on the store's network again"
    side = Side.STORE
    story = acts.CUT_FROM_STORE

    @classmethod
    def refusal(cls, platform: Platform, arms: Iterable[Arm]) -> str | None:
        listed = list(arms)
        without = [arm.name for arm in listed if not arm.needs_store]
        if not without:
            return super(CutFromStore, cls).refusal(platform, listed)
        return (
            f"--fault {cls.name} makes no sense in the {' and '.join(without)} arm: its servers have no "
            "store to be cut from. Leave it out, as with --arms stateless."
        )
