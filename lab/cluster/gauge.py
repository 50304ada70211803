"""CPU and memory of one process, as the operating system counts them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class Load:
    """``cpu`` in percent of one core since the last reading, ``memory`` resident, in bytes."""

    cpu: float
    memory: int


class Gauge:
    def __init__(self, pid: int) -> None:
        self._process: psutil.Process | None = None
        with suppress(psutil.NoSuchProcess):
            self._process = psutil.Process(pid)
            self._process.cpu_percent()  # the first call only remembers where to count from

    def read(self) -> Load | None:
        """None once the process is gone."""
        if self._process is None:
            return None
        try:
            with self._process.oneshot():
                return Load(self._process.cpu_percent(), self._process.memory_info().rss)
        except psutil.NoSuchProcess:
            return None
