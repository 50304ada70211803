"""One program that the lab started: its first line, its log, its end.

Its stdout is a pipe to us. That tells two things without polling: the ``listening`` line that
says which port it got, and, by end-of-file, that it is gone. The pipe works alike on every event
loop, Linux and macOS, which a child watcher does not. Its stderr goes straight to its log file.
"""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lab.cluster import environment
from lab.cluster.errors import CannotStart, ended_with

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_SHOWN_LOG_LINES = 15
#: A process that closed its pipe is a zombie within microseconds; this is only how often we look.
_REAP_PAUSE = 0.001


@dataclass(frozen=True, slots=True)
class Program:
    """What to start. ``settings`` go into its environment, which only this user may read, as argv is not."""

    name: str
    argv: Sequence[str]
    log: Path
    settings: Mapping[str, str] = field(default_factory=dict)


class Child:
    def __init__(self, program: Program, popen: subprocess.Popen[bytes]) -> None:
        self.program = program
        self.pid = popen.pid
        self.is_end_expected = False
        loop = asyncio.get_running_loop()
        self._first_line: asyncio.Future[bytes] = loop.create_future()
        self._ended: asyncio.Future[int] = loop.create_future()
        self._popen = popen

    @classmethod
    async def start(cls, program: Program, group: int, stdin: int = subprocess.DEVNULL) -> Child:
        """Start ``program`` in the process group ``group`` (0: as the leader of its own).

        Either way it is in the background of a terminal, so that Ctrl-C reaches the driver alone.
        """
        with program.log.open("ab") as log:
            popen = subprocess.Popen(  # noqa: ASYNC220 - a millisecond; uvloop's own knows no process_group
                program.argv,
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**environment.inherited(), **program.settings},
                process_group=group,
            )
        child = cls(program, popen)
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: _Stdout(child), popen.stdout)
        return child

    async def listening(self, deadline: float) -> dict[str, Any]:
        """The line that says where it listens; CannotStart when it dies or stays silent."""
        try:
            async with asyncio.timeout(deadline):
                line = await asyncio.shield(self._first_line)
        except TimeoutError:
            raise self.cannot_start(f"it said nothing within {deadline:g} s") from None
        if not line:
            raise self.cannot_start(ended_with(await self.wait()))
        try:
            said = json.loads(line)
        except ValueError:
            said = None
        if not isinstance(said, dict) or said.get("event") != "listening":
            shown = line.decode(errors="replace").strip()
            raise self.cannot_start(f'its first line should be {{"event":"listening",...}}; it is {shown!r}')
        return said

    def signal(self, number: signal.Signals) -> None:
        if self.is_running:
            self._popen.send_signal(number)

    async def kill(self) -> None:
        """SIGKILL: also ends a stopped process. Returns when it is gone."""
        self.is_end_expected = True
        self.signal(signal.SIGKILL)
        await self.wait()

    async def wait(self) -> int:
        """The exit code, negative for a signal, once it is gone."""
        return await asyncio.shield(self._ended)

    @property
    def is_running(self) -> bool:
        return self._popen.poll() is None

    def cannot_start(self, why: str) -> CannotStart:
        return CannotStart(self.program.name, why, self.program.log, self.last_lines())

    def last_lines(self) -> list[str]:
        try:
            with self.program.log.open(encoding="utf-8", errors="replace") as log:
                return [line.rstrip("\n") for line in deque(log, _SHOWN_LOG_LINES)]
        except FileNotFoundError:
            return []

    def said(self, first_line: bytes) -> None:
        if not self._first_line.done():
            self._first_line.set_result(first_line)

    async def reap(self) -> None:
        while (code := self._popen.poll()) is None:
            await asyncio.sleep(_REAP_PAUSE)
        self._ended.set_result(code)


class _Stdout(asyncio.Protocol):
    """Splits off the first line; whatever a program prints after that joins its log."""

    def __init__(self, child: Child) -> None:
        self._child = child
        self._before_newline: bytes | None = b""
        self._reaping: asyncio.Task[None] | None = None

    def data_received(self, data: bytes) -> None:
        if self._before_newline is not None:
            line, newline, data = (self._before_newline + data).partition(b"\n")
            self._before_newline = None if newline else line
            if newline:
                self._child.said(line)
        if data:
            with self._child.program.log.open("ab") as log:
                log.write(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the loop's signature
        self._child.said(b"")
        self._reaping = asyncio.get_running_loop().create_task(self._child.reap())
