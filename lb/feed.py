"""One listener's view of the events: what it has not read yet."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lb.events import Events, Notice

#: A listener that falls this far behind is let go rather than kept in memory.
MAX_UNREAD = 10_000


class Feed:
    """Notices one by one, ``async for``, until ``end``."""

    def __init__(self, events: Events, *, with_history: bool) -> None:
        self._unread: asyncio.Queue[Notice | None] = asyncio.Queue()
        for notice in events.history() if with_history else ():
            self._unread.put_nowait(notice)
        self.close = events.listen(self._take)

    def __aiter__(self) -> Feed:
        return self

    async def __anext__(self) -> Notice:
        notice = await self._unread.get()
        if notice is None:
            raise StopAsyncIteration
        return notice

    def end(self) -> None:
        self._unread.put_nowait(None)

    def _take(self, notice: Notice) -> None:
        if self._unread.qsize() < MAX_UNREAD:
            self._unread.put_nowait(notice)
        elif self._unread.qsize() == MAX_UNREAD:
            self.end()
