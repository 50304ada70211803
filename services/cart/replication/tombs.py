"""Sessions that ended by a login or a logout: what keeps a late copy of one from living again.

A copy may come late: from a server that was paused or cut off, or from a queue. It is refused as long as
the tombstone stands, which is as long as any cart may live.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Tombs:
    def __init__(self, seconds: float, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        """At most ``limit``, the oldest given up first."""
        self._seconds = seconds
        self._limit = limit
        self._clock = clock
        self._until: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._until)

    def __contains__(self, session: str) -> bool:
        return self._until.get(session, 0.0) > self._clock()

    def add(self, session: str) -> None:
        now = self._clock()
        self._until[session] = now + self._seconds
        self._until.move_to_end(session)
        while len(self._until) > self._limit or next(iter(self._until.values())) <= now:
            self._until.popitem(last=False)
