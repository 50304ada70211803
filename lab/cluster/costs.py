"""What a run costs: CPU seconds and memory, of each kind of program.

Read from the system's own accounts of the processes that were started here. A killed process takes
its account along, so it is read often; what a process used between the last look and its end is
missing, a second at most.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from lab.cluster.family import Family

DRIVER, BALANCER = "driver", "balancer"
#: By what follows the arm's name in a program's: ``sticky-server-2``, ``sticky-lb``.
_KINDS = {"shoppers": "shoppers", "lb": BALANCER, "server": "servers", "store": "store"}


class Meter:
    """Of one arm, named ``slug``, from now on; the driver counts as everybody's."""

    def __init__(self, family: Family, slug: str) -> None:
        self._family = family
        self._slug = slug
        self._processes: dict[int, psutil.Process] = {}
        self._before: dict[int, float] = {}
        self._cpu: dict[int, float] = {}
        self._kinds: dict[int, str] = {}
        self.memory = 0
        self.shares: dict[str, int] = {}
        self.look()
        self._before = dict(self._cpu)

    @property
    def cpu(self) -> dict[str, float]:
        """Seconds by kind, the dearest first."""
        spent: Counter[str] = Counter()
        for pid, seconds in self._cpu.items():
            spent[self._kinds[pid]] += round(1000 * (seconds - self._before.get(pid, 0.0)))
        return {kind: milliseconds / 1000 for kind, milliseconds in spent.most_common()}

    def look(self) -> None:
        shares: Counter[str] = Counter()
        for pid, kind in self._who().items():
            try:
                process = self._processes.get(pid) or psutil.Process(pid)
                # Others' balancers work in children of theirs.
                team = [process, *(process.children(recursive=True) if kind == BALANCER else ())]
                cpu, memory = sum(map(_cpu_of, team)), sum(map(_memory_of, team))
            except psutil.Error:
                continue
            self._processes[pid], self._kinds[pid], self._cpu[pid] = process, kind, cpu
            shares[kind] += memory
        if (memory := sum(shares.values())) > self.memory:
            self.memory, self.shares = memory, dict(shares.most_common())

    def _who(self) -> dict[int, str]:
        found = {os.getpid(): DRIVER}
        for child in self._family.children:
            name = child.program.name.removeprefix(f"{self._slug}-")
            kind = _KINDS.get(name.partition("-")[0])
            if kind and name != child.program.name and child.is_running:
                found[child.pid] = kind
        return found


def _cpu_of(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _memory_of(process: psutil.Process) -> int:
    full = process.memory_full_info()
    return int(getattr(full, "pss", full.rss))
