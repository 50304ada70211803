"""The change is made, and its answer is lost: the server commits, then closes the socket.

To the shopper it looks like a failure, so they do it again: without a key there are two laptops in the cart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab import acts
from lab.faults.fault import Hits, ServerFault
from lab.topology import Platform

if TYPE_CHECKING:
    from lab.cluster.ports import LosesReplies


@dataclass(slots=True)
class ReplyLost(ServerFault):
    name = "reply-lost"
    did = "makes the next changes, and hangs up instead of an answer"
    undid = "answers again"
    story = acts.REPLY_LOST
    hits = Hits.SERVICE
    platforms = frozenset({Platform.PROCESSES})
    elsewhere = "there the lab reaches a server only through its balancer"
    unit = "answers"
    usual = 20.0
    graded = True

    site: LosesReplies

    async def inflict(self) -> None:
        await self.site.lose_replies(self.server, round(self.amount))

    async def undo(self) -> None:
        await self.site.lose_replies(self.server, 0)
