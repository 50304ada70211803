"""How the proxy is told: lines of JSON on a unix socket, each answered by one.

| ``do`` | with | |
|---|---|---|
| ``link`` | ``name``, ``listen``, ``to`` | makes a link, or leads it elsewhere; it stays |
| ``rule`` | ``links``, ``rule`` | is in force until this connection closes |
| ``show`` | | every link, where it listens and what it does |

A rule belongs to the connection that made it. When that closes, for whatever reason, the rule is
gone: a driver that dies has healed everything it had broken.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from lab.wire.link import Link
from lab.wire.rule import PASSING, BadRule, Rule, read_rule

if TYPE_CHECKING:
    import asyncio
    from random import Random

_MOST_LINKS = 500


class Control:
    def __init__(self, dice: Random) -> None:
        self._dice = dice
        self._links: dict[str, Link] = {}
        #: The newest rule of a link is in force; when it goes, the one before it is.
        self._rules: dict[str, list[tuple[object, Rule]]] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        owner = object()
        try:
            async for line in reader:
                writer.write(json.dumps(await self._answer(owner, line)).encode() + b"\n")
                await writer.drain()
        except (OSError, ValueError):
            pass  # gone, or no line at all: either way it is over
        finally:
            await self._forget(owner)
            writer.close()

    def close(self) -> None:
        for link in self._links.values():
            link.close()

    async def _answer(self, owner: object, line: bytes) -> dict[str, Any]:
        try:
            asked = json.loads(line)
            match asked:
                case {"do": "link", "name": str(name), "listen": str(listen), "to": str(to)}:
                    return {"listens": await self._link(name, listen, to)}
                case {"do": "rule", "links": [*names], "rule": dict(words)}:
                    await self._rule(owner, names, read_rule(words))
                    return {}
                case {"do": "show"}:
                    return {"links": {name: _shown(link) for name, link in self._links.items()}}
        except (BadRule, KeyError, OSError, ValueError) as problem:
            return {"error": f"{type(problem).__name__}: {problem}"}
        return {"error": f"{line[:200]!r}: expected do = link, rule or show, with its fields"}

    async def _link(self, name: str, listen: str, to: str) -> str:
        if name not in self._links:
            if len(self._links) >= _MOST_LINKS:
                raise ValueError(f"{_MOST_LINKS} links are there already, as many as there may be")
            link = self._links[name] = Link(listen, to, self._dice)
            await link.follow(PASSING)
        self._links[name].to = to
        return self._links[name].place

    async def _rule(self, owner: object, names: list[str], rule: Rule) -> None:
        if unknown := [name for name in names if name not in self._links]:
            raise KeyError(f"no link {', '.join(unknown)}; there are {', '.join(self._links)}")
        for name in names:
            self._rules.setdefault(name, []).append((owner, rule))
            await self._links[name].follow(rule)

    async def _forget(self, owner: object) -> None:
        for name, rules in self._rules.items():
            left = [each for each in rules if each[0] is not owner]
            if len(left) < len(rules):
                self._rules[name] = left
                await self._links[name].follow(left[-1][1] if left else PASSING)


def _shown(link: Link) -> dict[str, Any]:
    return {
        "listens": link.place,
        "to": link.to,
        "connections": link.connections,
        "rule": link.rule.as_words(),
    }
