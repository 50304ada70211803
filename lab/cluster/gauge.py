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
    """Of a process and its children: nginx works in a child, and a reload replaces that one."""

    def __init__(self, pid: int) -> None:
        self._known: dict[int, psutil.Process] = {}
        self._pid = pid
        with suppress(psutil.NoSuchProcess):
            self._read(psutil.Process(pid))  # the first call only remembers where to count from

    def read(self) -> Load | None:
        """None once the process is gone."""
        first = self._known.get(self._pid)
        if first is None:
            return None
        try:
            loads = [self._read(first)]
            for child in first.children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    loads.append(self._read(child))
        except psutil.NoSuchProcess:
            return None
        return Load(sum(load.cpu for load in loads), sum(load.memory for load in loads))

    def _read(self, process: psutil.Process) -> Load:
        known = self._known.setdefault(process.pid, process)
        with known.oneshot():
            return Load(known.cpu_percent(), known.memory_info().rss)
