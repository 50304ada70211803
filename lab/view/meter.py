"""Counting by time, cheaply: requests a second, and requests along the whole run. Pure."""

from __future__ import annotations

from dataclasses import dataclass

#: Cells of the time axis. One request more costs one copy of so many numbers.
CELLS = 40


@dataclass(frozen=True, slots=True)
class Rate:
    """Events of the last full second, which holds still long enough to be read."""

    second: int = -2
    count: int = 0
    before: int = 0

    def hit(self, at: float, times: int = 1) -> Rate:
        second = int(at)
        if second <= self.second:
            return Rate(self.second, self.count + times, self.before)
        return Rate(second, times, self.count if second == self.second + 1 else 0)

    def per_second(self, now: float) -> int:
        """The last full second; the running one while there is none before it."""
        age = int(now) - self.second
        if age <= 0:
            return self.before or self.count
        return self.count if age == 1 else 0


IDLE = Rate()


@dataclass(frozen=True, slots=True)
class Strip:
    """How many requests, and how many troubled ones, in each cell of time since the run began.

    It begins with the first request, at the whole second ``origin``. When the cells are used up,
    neighbours are joined and a cell covers twice the time: it always shows the whole run.
    """

    seconds: float = 0.25
    origin: int | None = None
    counts: tuple[int, ...] = ()
    troubles: tuple[int, ...] = ()

    @property
    def span(self) -> float:
        return self.seconds * CELLS

    def hit(self, at: float, *, trouble: bool) -> Strip:
        return self.hits(at, 1, int(trouble))

    def hits(self, at: float, requests: int, troubles: int) -> Strip:
        origin = int(at) if self.origin is None else self.origin
        strip = Strip(self.seconds, origin, self.counts, self.troubles).reaching(at)
        cell = max(int((at - origin) / strip.seconds), 0)
        return Strip(
            strip.seconds,
            origin,
            _with_more(strip.counts, cell, requests),
            _with_more(strip.troubles, cell, troubles) if troubles else strip.troubles,
        )

    def reaching(self, at: float) -> Strip:
        """The same strip, long enough for ``at``."""
        strip, age = self, at - (self.origin or 0)
        if self.origin is None:
            return self
        while age >= strip.span:
            strip = Strip(strip.seconds * 2, self.origin, _joined(strip.counts), _joined(strip.troubles))
        missing = int(age / strip.seconds) + 1 - len(strip.counts)
        if missing <= 0:
            return strip
        zeros = (0,) * missing
        return Strip(strip.seconds, self.origin, strip.counts + zeros, strip.troubles + zeros)


BLANK = Strip()


def _with_more(counts: tuple[int, ...], cell: int, more: int) -> tuple[int, ...]:
    return (*counts[:cell], counts[cell] + more, *counts[cell + 1 :])


def _joined(counts: tuple[int, ...]) -> tuple[int, ...]:
    even = counts if len(counts) % 2 == 0 else (*counts, 0)
    return tuple(first + second for first, second in zip(even[::2], even[1::2], strict=True))
