"""A retry budget: retries help against the fault of one server, and drown all of them when all fail.

Of the requests of the last ``WINDOW`` seconds only ``percent`` may be tried again, and besides that
``LEAST_A_SECOND``, so that a site with few requests is helped too (Finagle's ``RetryBudget``: ttl 10 s,
10 a second, 20 %; Envoy's ``retry_budget``). Counting costs a request nothing: the requests are read off
a counter that there is anyway, some times a second.
"""

from __future__ import annotations

from collections import deque
from typing import Final

WINDOW: Final = 10.0
LEAST_A_SECOND: Final = 1


class Budget:
    """0 percent: no bound. Every ``now`` is of one monotonic clock, ``requests`` a counter's reading."""

    def __init__(self, percent: int) -> None:
        self._percent = percent
        self._readings: deque[tuple[float, int]] = deque([(0.0, 0)])
        self._retries: deque[float] = deque()

    def observe(self, requests: int, now: float) -> None:
        """To be called some times a second; the oldest reading is the one from before the window."""
        if not self._percent:
            return
        self._readings.append((now, requests))
        while len(self._readings) > 1 and self._readings[1][0] <= now - WINDOW:
            self._readings.popleft()

    def spend(self, requests: int, now: float) -> bool:
        """Whether one more retry may be made now; if so it counts."""
        if not self._percent:
            return True
        while self._retries and self._retries[0] <= now - WINDOW:
            self._retries.popleft()
        recent = requests - self._readings[0][1]
        if len(self._retries) >= recent * self._percent / 100 + LEAST_A_SECOND * WINDOW:
            return False
        self._retries.append(now)
        return True
