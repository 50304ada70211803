"""All shoppers of one arm, as the driver holds them: processes that it orders about, and their counts."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from lab.cluster.child import Program
from lab.errors import Aborted
from lab.workload.throng import orders
from lab.workload.throng.tally import Tally
from lab.workload.throng.wishes import ADDS, BEFORE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lab.cluster.child import Child
    from lab.cluster.family import Family
    from lab.workload.throng.orders import Prepare

_START_WITHIN = 30.0
_PREPARED_WITHIN = 60.0
#: Enough for a million carts.
_WRITTEN_WITHIN = 120.0


@dataclass(slots=True)
class _Process:
    child: Child
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    whom: Prepare
    tally: dict[str, Any] = field(default_factory=dict)
    is_gone: bool = False


class Crowd:
    """``people`` say who shops, one process each; ``slug`` is their arm's.

    ``parts`` are the files in ``folder`` that hold its history once it has been closed.
    """

    def __init__(
        self,
        family: Family,
        slug: str,
        people: Sequence[Prepare],
        folder: Path,
    ) -> None:
        self.parts: list[Path] = []
        self._family = family
        self._slug = slug
        self._people = people
        self._folder = folder
        self._processes: list[_Process] = []
        self._following: list[asyncio.Task[None]] = []
        self._done: dict[tuple[int, str], asyncio.Future[None]] = {}

    @property
    def shoppers(self) -> int:
        return sum(each.count for each in self._people)

    @property
    def tally(self) -> Tally:
        return Tally.sum(process.tally for process in self._processes)

    @property
    def filling(self) -> int:
        """Adds that are due before the fault."""
        return BEFORE * self.shoppers

    @property
    def planned(self) -> int:
        """Requests of all, the last look included."""
        return (ADDS + 1) * self.shoppers

    @property
    def is_walking(self) -> bool:
        """Whether somebody was told to shop and has not ended."""
        return any(not waiting.done() for waiting in self._done.values())

    async def fill(self) -> None:
        await self._all(orders.FILL)

    async def come_back(self) -> None:
        await self._all(orders.COME_BACK)

    async def read_back(self, *, within: float) -> None:
        await self._all(orders.READ_BACK, within=within)

    async def __aenter__(self) -> Self:
        try:
            await asyncio.gather(*(self._start(whom) for whom in self._people))
            async with asyncio.timeout(_PREPARED_WITHIN):
                await asyncio.gather(
                    *(
                        self._order(number, orders.PREPARE, whom=process.whom.to_record())
                        for number, process in enumerate(self._processes)
                    )
                )
        except BaseException:
            self._leave()
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Whatever came out of the block, what was heard until now is written down."""
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(_WRITTEN_WITHIN):
                    writing = (self._write(number) for number in range(len(self._processes)))
                    await asyncio.gather(*writing, return_exceptions=True)  # who is gone cannot write
        finally:
            self._leave()

    def _leave(self) -> None:
        """A shopper process ends when its driver hangs up."""
        for process in self._processes:
            process.child.is_end_expected = True
            process.writer.close()
        for task in self._following:
            task.cancel()

    async def _start(self, whom: Prepare) -> None:
        name = f"{self._slug}-shoppers-{whom.first}"
        socket = self._family.den / name
        child = await self._family.start(
            Program(
                name=name,
                argv=[sys.executable, "-P", "-m", "lab.workload.throng", "--socket", str(socket)],
                log=self._family.logs / f"{name}.log",
            )
        )
        await child.listening(_START_WITHIN)
        self._family.needs(child)
        reader, writer = await asyncio.open_unix_connection(socket)
        process = _Process(child, reader, writer, whom)
        self._processes.append(process)
        self._following.append(asyncio.create_task(self._follow(len(self._processes) - 1, process)))

    async def _follow(self, number: int, process: _Process) -> None:
        while line := await process.reader.readline():
            said = json.loads(line)
            if "tally" in said:
                process.tally = said["tally"]
            elif (done := self._done.pop((number, said["done"]), None)) and not done.done():
                done.set_result(None)
        process.is_gone = True
        for (whose, what), waiting in list(self._done.items()):
            if whose == number and not waiting.done():
                waiting.set_exception(_gone(process, what))

    async def _all(self, name: str, **more: Any) -> None:
        await asyncio.gather(*(self._order(number, name, **more) for number in range(len(self._processes))))

    async def _order(self, number: int, name: str, **more: Any) -> None:
        process = self._processes[number]
        if process.is_gone:
            raise _gone(process, name)
        done = self._done[number, name] = asyncio.get_running_loop().create_future()
        process.writer.write(orders.line({"do": name, **more}))
        await done

    async def _write(self, number: int) -> None:
        whom = self._processes[number].whom
        path = self._folder / f"history-{self._slug}-{whom.first}.jsonl"
        await self._order(number, orders.WRITE, path=str(path))
        self.parts.append(path)


def _gone(process: _Process, order: str) -> Aborted:
    log = process.child.program.log
    return Aborted(f"{process.child.program.name} was told to {order!r} and is gone; its log is {log}.")
