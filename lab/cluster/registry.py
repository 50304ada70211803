"""Who runs right now, and what a dead run may have left: one folder a run, locked while it lives.

The lock is an ``flock``: the kernel gives it back when the driver dies, in whatever way, so "is it
alive" needs no heartbeat and cannot be fooled by a pid that was given to somebody else. What a run
started stands in its record with pid and creation time, and only what matches both is ever ended.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import stat
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import psutil

from lab.cluster.places import state_root
from lab.errors import EnvironmentProblem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_RECORD = "record.json"


@dataclass(frozen=True, slots=True)
class Member:
    """A process and the moment it was created: together they name it for good."""

    name: str
    pid: int
    created: float

    @classmethod
    def of(cls, name: str, pid: int) -> Member:
        return cls(name, pid, psutil.Process(pid).create_time())


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What one run has: ``group`` is the process group of all its children, ``folders`` its
    temporary folders, ``site`` what ``cartlab status`` has to know about a site left running.
    """

    kind: str
    name: str
    driver: Member
    group: int | None = None
    members: tuple[Member, ...] = ()
    folders: tuple[str, ...] = ()
    site: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_json(cls, text: str) -> Record:
        given = json.loads(text)
        given["driver"] = Member(**given["driver"])
        given["members"] = tuple(Member(**member) for member in given["members"])
        given["folders"] = tuple(given["folders"])
        return cls(**given)


@dataclass(slots=True)
class Entry:
    """Our own place in the registry, held for as long as this process lives or until ``close``."""

    folder: Path
    lock: int

    def write(self, record: Record) -> None:
        """Replaced in one step: a reader sees the old record or the new one, never half of one."""
        draft = self.folder / f"{_RECORD}.new"
        draft.write_text(json.dumps(asdict(record)), encoding="utf-8")
        draft.replace(self.folder / _RECORD)

    def close(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        os.close(self.lock)


@dataclass(frozen=True, slots=True)
class Registered:
    """A run found in the registry. ``record`` is None when there is none that can be read."""

    folder: Path
    alive: bool
    record: Record | None


class Registry:
    def __init__(self, root: Path | None = None) -> None:
        self.root = root or state_root()

    def new_folder(self) -> Path:
        """A path that nobody has; ``enter`` makes it."""
        return self.root / secrets.token_hex(4)

    def enter(self, folder: Path) -> Entry:
        with self.guard():
            folder.mkdir(mode=0o700)
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return Entry(folder, lock)

    @contextmanager
    def guard(self) -> Iterator[None]:
        """One at a time: whoever is inside sees no run that has a folder but not yet its lock."""
        _make_private(self.root)
        door = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(door, fcntl.LOCK_EX)
            yield
        finally:
            os.close(door)

    def all(self) -> list[Registered]:
        with self.guard():
            return self.all_guarded()

    def all_guarded(self) -> list[Registered]:
        return [found for folder in sorted(self.root.iterdir()) for found in _look_at(folder)]

    def living(self, kind: str) -> list[Record]:
        return [r.record for r in self.all() if r.alive and r.record and r.record.kind == kind]

    def site_on(self, port: int) -> Record | None:
        """The standing site whose balancer listens on ``port``."""
        for record in self.living("site"):
            urls = (record.site.get("front", ""), record.site.get("admin", ""))
            if any(url.endswith(f":{port}") for url in urls):
                return record
        return None

    def dead(self) -> list[Registered]:
        return [run for run in self.all() if not run.alive]


def with_member(record: Record, member: Member) -> Record:
    """A server that starts again replaces its earlier process."""
    others = tuple(known for known in record.members if known.name != member.name)
    return replace(record, members=(*others, member))


def _look_at(folder: Path) -> Iterator[Registered]:
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except (FileNotFoundError, NotADirectoryError):
        return  # gone in this very moment, or a file that is none of ours
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        alive = False
    except BlockingIOError:
        alive = True
    finally:
        os.close(lock)
    yield Registered(folder, alive, _read(folder / _RECORD))


def _read(record: Path) -> Record | None:
    try:
        return Record.from_json(record.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None  # not written yet, or by another version of the lab


def _make_private(root: Path) -> None:
    """Others must not be able to plant records here: they would choose whom ``down`` ends."""
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = root.lstat()
    except OSError as problem:
        raise EnvironmentProblem(
            f"{root} should keep the list of running sites, but cannot be made: {problem.strerror}. "
            "Set CARTLAB_STATE to a folder that you can write to."
        ) from None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise EnvironmentProblem(
            f"{root} keeps the list of running sites and must be a folder that only you can use; "
            f"it has owner {found.st_uid} and mode {stat.filemode(found.st_mode)}. "
            "Remove it, or set CARTLAB_STATE to a private folder."
        )
