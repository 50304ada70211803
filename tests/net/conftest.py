"""What tests with real processes share: a corner of the machine where everything left over is ours."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(name="wait_until")
def _wait_until() -> Callable[..., None]:
    return wait_until


def wait_until(condition: Callable[[], object], what: str, within: float = 15.0) -> None:
    end = time.monotonic() + within
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"waited {within:g} s in vain until {what}")
        time.sleep(0.01)


@dataclass
class Program:
    """A program in a session of its own: whoever it starts, and they start, can be found by that."""

    popen: subprocess.Popen[str]

    def members(self) -> list[psutil.Process]:
        """All living processes of its session, itself included."""
        return [process for process in psutil.process_iter() if _session_of(process) == self.popen.pid]

    def children(self) -> list[psutil.Process]:
        return [process for process in self.members() if process.pid != self.popen.pid]

    def says(self, begin: str) -> str:
        """Wait for a line that begins so."""
        assert self.popen.stdout
        for line in self.popen.stdout:
            if line.startswith(begin):
                return line
        pytest.fail(f"it ended with {self.popen.wait()} before it said {begin!r}")

    def let_run(self, seconds: float) -> None:
        with pytest.raises(subprocess.TimeoutExpired):
            self.popen.wait(seconds)

    def kill(self) -> None:
        self.popen.send_signal(signal.SIGKILL)
        self.popen.wait()


@dataclass
class Corner:
    """Temporary folders and the registry of this test alone.

    ``temporary`` has a short path; ``home`` is where its programs stand and keep what may stay.
    """

    temporary: Path
    home: Path
    programs: list[Program] = field(default_factory=list)

    @property
    def state(self) -> Path:
        return self.temporary / "state"

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "TMPDIR": str(self.temporary), "CARTLAB_STATE": str(self.state)}

    def cartlab(self, *words: str) -> subprocess.CompletedProcess[str]:
        """``cartlab WORDS`` to its end."""
        return subprocess.run(
            [sys.executable, "-m", "lab", *words],
            env=self.environment,
            cwd=self.home,
            capture_output=True,
            text=True,
            check=False,
        )

    def run(self, script: str, *arguments: str) -> Program:
        popen = subprocess.Popen(
            [sys.executable, "-c", script, *arguments],
            env=self.environment,
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        program = Program(popen)
        self.programs.append(program)
        return program

    def clear(self) -> None:
        for program in self.programs:
            for process in program.members():
                process.kill()
            if program.popen.stdout:
                program.popen.stdout.close()
            program.popen.wait()
        shutil.rmtree(self.temporary, ignore_errors=True)

    def left_over(self) -> list[str]:
        """Folders, sockets and records; the registry's own empty folder is none.

        By ``os.walk``: a folder that is taken away while it is looked at is no error to it.
        """
        found = (
            Path(folder) / name
            for folder, folders, files in os.walk(self.temporary)
            for name in (*folders, *files)
        )
        return [str(path.relative_to(self.temporary)) for path in found if path != self.state]


@pytest.fixture
def corner(tmp_path: Path) -> Iterator[Corner]:
    with _own_corner(tmp_path) as corner:
        yield corner


@pytest.fixture(scope="module")
def shared_corner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Corner]:
    """For tests that only look at what stands there."""
    with _own_corner(tmp_path_factory.mktemp("home")) as corner:
        yield corner


@contextmanager
def _own_corner(home: Path) -> Iterator[Corner]:
    corner = Corner(Path(tempfile.mkdtemp(prefix="t-", dir="/tmp")).resolve(), home)
    with pytest.MonkeyPatch.context() as settings:
        settings.setenv("TMPDIR", str(corner.temporary))
        settings.setenv("CARTLAB_STATE", str(corner.state))
        settings.delenv("CARTLAB_REDIS_URL", raising=False)
        try:
            yield corner
        finally:
            corner.clear()


def _session_of(process: psutil.Process) -> int | None:
    try:
        return os.getsid(process.pid) if process.status() != psutil.STATUS_ZOMBIE else None
    except (ProcessLookupError, psutil.NoSuchProcess):
        return None
