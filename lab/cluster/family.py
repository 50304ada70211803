"""All processes of one run: they join one process group and die with the driver.

The driver holds the write end of a pipe that the warden reads (``warden.py`` says why that is
enough, even for ``kill -9``). The warden gets the folders' names before they exist, so there is
no moment at which a killed driver leaves one.

A program that the run cannot do without (the warden, a balancer, a store) is watched: when it
ends and nobody ended it on purpose, the task that opened the family is cancelled and ChildLost
comes out of the ``async with``, as with ``asyncio.timeout``.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import psutil

from lab.cluster import leftovers, warden
from lab.cluster.child import Child, Program
from lab.cluster.errors import ChildLost, ended_with
from lab.cluster.places import new_den
from lab.cluster.registry import Member, Record, Registry, with_member

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping
    from pathlib import Path
    from types import TracebackType

    from lab.cluster.registry import Entry

GRACE = 3.0
"""Seconds between SIGTERM and SIGKILL."""


class Family:
    """``kind`` is ``run`` or ``site``. ``logs`` is where each program's log goes.

    ``den`` is a private folder with a short path, as a socket's path must be, gone with the family;
    ``folder`` is its place in the registry, which lives and is locked just as long.
    """

    def __init__(self, kind: str, name: str, logs: Path, *, registry: Registry | None = None) -> None:
        self.logs = logs
        self.den = new_den()
        self.registry = registry or Registry()
        self.folder = self.registry.new_folder()
        self._record = Record(kind=kind, name=name, driver=Member.of("driver", os.getpid()))
        self._entry: Entry | None = None
        self._children: list[Child] = []
        self._watches: set[asyncio.Task[None]] = set()
        self._lost: ChildLost | None = None
        self._is_ending = False

    async def __aenter__(self) -> Self:
        leftovers.clean(self.registry)
        self.logs.mkdir(parents=True, exist_ok=True)
        self._owner = asyncio.current_task()
        self._cancels_before = self._owner.cancelling() if self._owner else 0
        await self._start_warden(self.folder)
        try:
            self._entry = self.registry.enter(self.folder)
            self.den.mkdir(mode=0o700)
            self._note(self._warden, group=self._warden.pid, folders=(str(self.den),))
            self.needs(self._warden)
        except BaseException:
            await self._leave()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            try:
                await self.end()
            finally:
                await self._leave()
        finally:
            # Whatever came out of the block, or was to come yet: the loss explains it.
            self._raise_the_loss(error)

    @property
    def children(self) -> tuple[Child, ...]:
        """All that were started, also those that have ended."""
        return tuple(self._children)

    async def start(self, program: Program) -> Child:
        child = await Child.start(program, self._warden.pid)
        self._children.append(child)
        self._note(child)
        return child

    def needs(self, child: Child) -> None:
        """From now on the run cannot do without ``child``: losing it ends the run with ChildLost."""
        self.watch(partial(_loss_of, child))

    def watch(self, loss: Callable[[], Awaitable[ChildLost | None]]) -> None:
        """The same for what is no child of ours: ``loss`` returns when it is gone, None if that was meant."""
        task = asyncio.get_running_loop().create_task(self._report(loss))
        self._watches.add(task)
        task.add_done_callback(self._watches.discard)

    def describe(self, site: Mapping[str, Any]) -> None:
        """Put into the registry what ``cartlab status`` has to know."""
        self._write(replace(self._record, site=dict(site)))

    async def end(self, grace: float = GRACE) -> None:
        """Ask everybody to end, then insist. Cancelled meanwhile, it insists at once."""
        self._is_ending = True
        running = [child for child in self._children if child.is_running]
        try:
            for child in running:
                child.signal(signal.SIGTERM)
                child.signal(signal.SIGCONT)  # a stopped process can act on SIGTERM only once it goes on
            async with asyncio.timeout(grace):
                await _all_ended(running)
        except TimeoutError:
            pass
        finally:
            for child in running:
                child.signal(signal.SIGKILL)
        await _all_ended(running)

    async def _leave(self) -> None:
        """All that matters is done before the first await: whoever is still there, the warden ends."""
        self._is_ending = True
        for watch in self._watches:
            watch.cancel()
        shutil.rmtree(self.den, ignore_errors=True)
        if self._entry:
            self._entry.close()
        os.close(self._pipe)
        await self._see_the_warden_off()

    async def _see_the_warden_off(self) -> None:
        try:
            async with asyncio.timeout(GRACE):
                await self._warden.wait()
        except TimeoutError:
            # Somebody has stopped it. Its group is still its own, for we have not reaped it.
            os.killpg(self._warden.pid, signal.SIGKILL)
            await self._warden.wait()
        if not self._warden.last_lines():
            self._warden.program.log.unlink(missing_ok=True)

    async def _start_warden(self, folder: Path) -> None:
        program = Program(
            name="warden",
            argv=[sys.executable, "-I", "-S", warden.__file__, str(folder), str(self.den)],
            log=self.logs / "warden.log",
        )
        read_end, self._pipe = os.pipe()
        try:
            self._warden = await Child.start(program, group=0, stdin=read_end)
        except BaseException:
            os.close(self._pipe)
            raise
        finally:
            os.close(read_end)

    def _note(self, child: Child, **more: Any) -> None:
        try:
            member = Member.of(child.program.name, child.pid)
        except psutil.NoSuchProcess:
            return  # it ended at once; whoever waits for its first line says so
        self._write(replace(with_member(self._record, member), **more))

    def _write(self, record: Record) -> None:
        self._record = record
        if self._entry:
            self._entry.write(record)

    def _raise_the_loss(self, cause: BaseException | None) -> None:
        """Unless somebody else has cancelled the owner as well: that then goes on as what it is."""
        if self._lost and self._owner and self._owner.uncancel() <= self._cancels_before:
            raise self._lost from cause

    async def _report(self, loss: Callable[[], Awaitable[ChildLost | None]]) -> None:
        found = await loss()
        if found is None or self._is_ending or self._lost:
            return
        self._lost = found
        if self._owner:
            self._owner.cancel()


async def _loss_of(child: Child) -> ChildLost | None:
    code = await child.wait()
    if child.is_end_expected:
        return None
    return ChildLost(child.program.name, ended_with(code), child.program.log, child.last_lines())


async def _all_ended(children: Iterable[Child]) -> None:
    await asyncio.gather(*(child.wait() for child in children))
