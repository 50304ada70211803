"""Several faults as one: all begin at once, all heal at once, and none is forgotten."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from lab.faults.fault import ServerFault


@asynccontextmanager
async def together(faults: Iterable[ServerFault]) -> AsyncIterator[None]:
    """Inflict all ``faults`` and heal them at the end of the block.

    Each is held by a task of its own, so that cancelling the block cancels no healing. When one cannot
    be inflicted, the others are healed first and the block is never entered.
    """
    release = asyncio.Event()
    pairs = [(fault, asyncio.get_running_loop().create_future()) for fault in faults]
    holders = [asyncio.create_task(_hold(fault, begun, release)) for fault, begun in pairs]
    try:
        for _, begun in pairs:
            await asyncio.shield(begun)
        yield
    finally:
        release.set()
        if holders:
            await asyncio.wait(holders)
        problems = [problem for holder in holders if (problem := holder.exception())]
        for problem in problems[:1]:  # all are asked, so that none is reported as never heard of
            raise problem


async def _hold(fault: ServerFault, begun: asyncio.Future[None], release: asyncio.Event) -> None:
    try:
        async with fault:
            begun.set_result(None)
            await release.wait()
    except Exception as problem:
        if begun.done():
            raise
        begun.set_exception(problem)
