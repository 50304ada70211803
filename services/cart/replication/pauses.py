"""Whether this process was paused: what it knew of others before is to be confirmed after."""

from __future__ import annotations

import time


class Pauses:
    def __init__(self, longest: float) -> None:
        """Others may take us for gone, and replace us, after twice ``longest`` seconds of silence."""
        self._longest = longest
        self._noticed = time.monotonic()
        self.count = 0

    def start(self) -> None:
        self._noticed = time.monotonic()

    def notice(self) -> None:
        now = time.monotonic()
        self.count += now - self._noticed > self._longest
        self._noticed = now
