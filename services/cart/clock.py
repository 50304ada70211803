"""The wall clock as this process believes it: right, unless chaos has set it ahead or back.

The machine's clock is never touched. What a monotonic clock or the store's clock measures is not
moved either, and that is the point: who relies on those does not notice.
"""

from __future__ import annotations

import time


class WallClock:
    """Seconds since 1970. ``ahead`` is by how many it is wrong."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


#: A process has one, as a machine has.
WALL = WallClock()
