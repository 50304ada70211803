"""How a standing site is ended from outside: asked first, then made to."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.cluster import leftovers
from lab.errors import HealingFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.cluster.registry import Record, Registry

_ASKED = 10.0
_MADE_TO = 5.0
_LOOK_AGAIN = 0.02


@dataclass(frozen=True, slots=True)
class Ended:
    name: str
    processes: int
    seconds: float
    was_forced: bool


def end(record: Record, registry: Registry) -> Ended:
    """SIGTERM to the keeper, who ends its children. If it does not, SIGKILL, and its warden does."""
    began = time.monotonic()
    processes = [member for member in (record.driver, *record.members) if leftovers.is_running(member)]

    def is_over() -> bool:
        is_listed = any(run.record and run.record.driver == record.driver for run in registry.all())
        return not is_listed and not any(map(leftovers.is_running, processes))

    _signal(record, signal.SIGTERM)
    was_forced = not _wait_until(is_over, _ASKED)
    if was_forced:
        _signal(record, signal.SIGKILL)
        if not _wait_until(is_over, _MADE_TO):
            leftovers.clean(registry)  # its warden is gone as well
    if still := [member.pid for member in processes if leftovers.is_running(member)]:
        raise HealingFailed(
            f"Tried to end the {record.name} site by SIGTERM, then by SIGKILL; the processes {still} are "
            "still there. What outlives SIGKILL waits for a disk or a debugger: see 'ps -o pid,stat,wchan'."
        )
    return Ended(record.name, len(processes), time.monotonic() - began, was_forced)


def _signal(record: Record, number: signal.Signals) -> None:
    if leftovers.is_running(record.driver):
        os.kill(record.driver.pid, number)


def _wait_until(condition: Callable[[], bool], deadline: float) -> bool:
    end_at = time.monotonic() + deadline
    while not condition():
        if time.monotonic() > end_at:
            return False
        time.sleep(_LOOK_AGAIN)
    return True
