"""What this machine can serve, found out before the shoppers come.

Shoppers who arrive faster than the machine can serve them measure the machine, not the design: every
wait and time-out would be blamed on stickiness. So the plan's rate is a share of what was measured.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from lab.workload.client import Door, NoAnswer, NotSent

if TYPE_CHECKING:
    from collections.abc import Sequence

SECONDS = 0.3
#: Strangers asking at once, an arm.
STRANGERS = 16
#: Of the looks into an empty cart that were measured: adds cost more, and there must be room for a crash.
SHARE = 0.4
#: Even a machine that answered almost nobody gets a plan that ends.
LEAST = 20.0


async def rate_for_each(urls: Sequence[str]) -> float:
    """Requests a second that each of the sites at ``urls`` can be sent while all of them are busy."""
    began = time.monotonic()
    answered = await asyncio.gather(*(_answers(url, began + SECONDS) for url in urls))
    served = sum(answered) / (time.monotonic() - began)
    return max(LEAST, SHARE * served / len(urls))


async def _answers(url: str, until: float) -> int:
    async with Door(url, connections=STRANGERS) as door:
        return sum(await asyncio.gather(*(_ask(door, until) for _ in range(STRANGERS))))


async def _ask(door: Door, until: float) -> int:
    answered = 0
    async with door.person() as stranger:
        while time.monotonic() < until:
            with suppress(NotSent, NoAnswer):
                await stranger.get("/cart")
                answered += 1
    return answered
