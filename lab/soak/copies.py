"""After a fault: until every cart is whole again where carts have copies.

Such a site promises to survive one server at a time. A second one hit before the copies of the first are
there again would be another question.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp

from lab.errors import Aborted
from lab.soak.settings import COPYING

if TYPE_CHECKING:
    from lab.cluster.ports import Site
    from lab.topology import Arm

WITHIN = 20.0
_LOOK_AGAIN = 0.1


async def until_whole(site: Site, arm: Arm) -> None:
    """Return when no server has a change or a session left to copy; at once where nothing is copied."""
    if arm.strategy != COPYING:
        return
    behind = "nobody answered"
    try:
        async with asyncio.timeout(WITHIN), aiohttp.ClientSession() as http:
            while behind := await _behind(site, http):
                await asyncio.sleep(_LOOK_AGAIN)
    except TimeoutError:
        raise Aborted(
            f"Waited {WITHIN:.0f} s after a fault until every cart of the {arm.name} arm has its copies "
            f"again; {behind}. A site that is not whole is not broken further: see log/ in the run's folder."
        ) from None


async def _behind(site: Site, http: aiohttp.ClientSession) -> str:
    for name, address in getattr(site, "addresses", {}).items():
        try:
            async with http.get(f"{address.url}/stats") as answer:
                figures = (await answer.json())["figures"]
        except (aiohttp.ClientError, KeyError) as problem:
            return f"{name} did not tell: {problem!r}"
        if figures.get("thin") or figures.get("unsent"):
            return f"{name} has {figures['thin']} sessions and {figures['unsent']} changes to copy"
    return ""
