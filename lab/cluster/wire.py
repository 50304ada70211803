"""The fault proxy of one arm, as the lab talks to it: links that stay, and spells that end by themselves."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lab.cluster.child import Program
from lab.cluster.ports import Address
from lab.errors import EnvironmentProblem
from lab.wire.place import UNIX

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lab.cluster.family import Family
    from lab.wire.rule import Rule

_LISTENS_WITHIN = 20.0
_ANSWERS_WITHIN = 5.0


@dataclass(slots=True)
class Line:
    """One connection on the control socket. What it disturbs passes again when it closes."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    #: Answers come in the order of the questions, and name none.
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def ask(self, **words: Any) -> dict[str, Any]:
        async with self.turn, asyncio.timeout(_ANSWERS_WITHIN):
            self.writer.write(json.dumps(words).encode() + b"\n")
            answer: dict[str, Any] = json.loads(await self.reader.readline())
        if "error" in answer:
            raise EnvironmentProblem(f"The fault proxy should {words['do']}; it refused: {answer['error']}")
        return answer

    async def close(self) -> None:
        """Return when the proxy has seen it, and nothing is disturbed any more."""
        self.writer.write_eof()
        async with asyncio.timeout(_ANSWERS_WITHIN):
            await self.reader.read()
        self.writer.close()


class Wire:
    """``start`` makes a process of the family. Places are ``HOST:PORT`` or ``unix:PATH``."""

    def __init__(self, control: str, line: Line) -> None:
        self._control = control
        self._line = line

    @classmethod
    async def start(cls, family: Family, name: str) -> Wire:
        control = str(family.den / f"{name}.sock")
        argv = [sys.executable, "-P", "-m", "lab.wire", "--control", control]
        child = await family.start(Program(name, argv, family.logs / f"{name}.log"))
        await child.listening(_LISTENS_WITHIN)
        family.needs(child)
        return cls(control, await _connect(control))

    async def link(self, name: str, listen: str, to: str) -> str:
        """Make the link, or lead it elsewhere; where it listens."""
        return str((await self._line.ask(do="link", name=name, listen=listen, to=to))["listens"])

    async def door(self, name: str, to: Address) -> Address:
        """The same on a port of ``to``'s host."""
        host, _, port = (await self.link(name, to.host, str(to))).rpartition(":")
        return Address(host, int(port))

    async def socket(self, name: str, path: Path, to: str) -> None:
        """The same on a unix socket."""
        await self.link(name, f"{UNIX}{path}", to)

    async def disturb(self, links: Sequence[str], rule: Rule) -> Line:
        """``rule`` is in force on ``links`` until the line that is returned closes."""
        line = await _connect(self._control)
        try:
            await line.ask(do="rule", links=list(links), rule=rule.as_words())
        except BaseException:
            line.writer.close()
            raise
        return line

    def close(self) -> None:
        self._line.writer.close()


async def _connect(control: str) -> Line:
    return Line(*await asyncio.open_unix_connection(control))
