"""What dead runs left behind: found by their records, ended only when it surely is theirs.

A process is theirs when pid *and* creation time are as recorded. While one such process lives, the
number of its process group cannot have been given to others, so the whole group is theirs too:
that covers a child which was started in the very moment that the driver died.
"""

from __future__ import annotations

import os
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from lab.cluster.registry import Member, Record, Registered, Registry

#: Creation times are computed from the boot time, which a clock correction can move a little.
_SAME_MOMENT = 2.0
_DEATH_TAKES_AT_MOST = 5.0


@dataclass(frozen=True, slots=True)
class Leftover:
    """What one dead run left."""

    name: str
    processes: tuple[Member, ...]
    folders: tuple[str, ...]

    def __str__(self) -> str:
        names = ", ".join(f"{member.name} (pid {member.pid})" for member in self.processes)
        things = [f"processes {names}"] if names else []
        things += [f"folder {folder}" for folder in self.folders]
        return f"{self.name}: {'; '.join(things)}"


def find(registry: Registry) -> list[Leftover]:
    return [_left_by(run) for run in registry.dead()]


def clean(registry: Registry) -> list[Leftover]:
    """End and remove all that dead runs left; living ones are never touched."""
    with registry.guard():
        dead = [run for run in registry.all_guarded() if not run.alive]
        found = [_left_by(run) for run in dead]
        for run in dead:
            _end(run)
    return found


def is_running(member: Member) -> bool:
    return _process(member) is not None


def _process(member: Member) -> psutil.Process | None:
    try:
        process = psutil.Process(member.pid)
        same = abs(process.create_time() - member.created) < _SAME_MOMENT
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None


def _left_by(run: Registered) -> Leftover:
    record = run.record
    members = tuple(member for member in record.members if is_running(member)) if record else ()
    folders = tuple(folder for folder in record.folders if Path(folder).exists()) if record else ()
    name = f"{record.kind} {record.name}" if record else "a run that died while starting"
    return Leftover(name, members, (*folders, str(run.folder)))


def _end(run: Registered) -> None:
    if run.record:
        _end_processes(run.record)
        for folder in run.record.folders:
            shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(run.folder, ignore_errors=True)


def _end_processes(record: Record) -> None:
    living = [process for member in record.members if (process := _process(member))]
    for process in living:
        if record.group is not None and _group_of(process) == record.group:
            os.killpg(record.group, signal.SIGKILL)
            break
    psutil.wait_procs(living, timeout=_DEATH_TAKES_AT_MOST)


def _group_of(process: psutil.Process) -> int | None:
    try:
        return os.getpgid(process.pid)
    except ProcessLookupError:
        return None
