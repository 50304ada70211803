"""SIGSTOP, or the engine's pause: the process is there, its connections stand, and nothing answers.

What a crash never shows: nobody is refused, so only time tells the balancer. Requests that were in
its hands wait until somebody's patience ends, and are carried out late, when it goes on.

A sticky session that was moved meanwhile stays where it went. Its cart is still in the memory of
the server that woke up, and nobody is sent there any more: to its shopper it is lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab import acts
from lab.faults.fault import ServerFault

if TYPE_CHECKING:
    from lab.cluster.ports import Pauses


@dataclass(slots=True)
class Pause(ServerFault):
    name = "pause"
    did = "frozen, its connections open"
    undid = "goes on, its memory as it was"
    story = acts.FROZEN

    site: Pauses

    async def inflict(self) -> None:
        await self.site.pause(self.server)

    async def undo(self) -> None:
        await self.site.resume(self.server)
