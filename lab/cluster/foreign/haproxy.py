"""HAProxy, asked and told over its stats socket."""

from __future__ import annotations

import asyncio
import csv
import re
from pathlib import Path
from typing import TYPE_CHECKING

from lab.cluster.foreign.engine import Engine
from lab.cluster.foreign.sight import Seen, Sight

if TYPE_CHECKING:
    from lab.export.front import Backend, Front

_BACKEND = "carts"
_STATES = {"UP": "up", "DOWN": "down", "DRAIN": "draining", "MAINT": "maintenance"}
_ENTRY = re.compile(r"key=([0-9A-Fa-f]+) .*exp=(\d+) .*server_key=(\S+)")
_TABLE_EVERY = 5
"""Looks: the table may be long, and nobody waits for news of it."""
_FINGERPRINT = 12
"""Hex digits of a cookie's SHA-256, which is what the table's key is."""


class HAProxy(Engine):
    target = "haproxy"
    tie = "learn"

    def __init__(self, binary: str, front: Front, config: Path) -> None:
        super().__init__(binary, front, config)
        self._looks = 0
        self._ties: dict[str, str] = {}
        self._idle: dict[str, float] = {}

    def command(self) -> list[str]:
        return [self.binary, "-db", "-f", str(self.config)]  # -db: in the foreground

    async def is_ready(self) -> bool:
        try:
            return bool(await self._ask("show info"))
        except OSError:
            return False

    async def place(self, server: Backend) -> None:
        self.placed[server.name] = server
        self.write()  # for whoever reads the file; HAProxy itself is told
        name = f"{_BACKEND}/{server.name}"
        await self._ask(
            f"set server {name} addr {server.host} port {server.port}; set server {name} state ready"
        )

    async def look(self) -> Sight:
        seen = servers_in(await self._ask("show stat"), {n: s.address for n, s in self.placed.items()})
        if self.front.is_tied and self._looks % _TABLE_EVERY == 0:
            self._ties, left = ties_in(await self._ask(f"show table {_BACKEND}"))
            self._idle = {session: self.front.session_ttl - seconds for session, seconds in left.items()}
        self._looks += 1
        return Sight(seen, self._ties, self._idle)

    async def _ask(self, command: str) -> str:
        reader, writer = await asyncio.open_unix_connection(str(Path(self.front.folder) / "haproxy.sock"))
        try:
            writer.write(f"{command}\n".encode())
            await writer.drain()
            return (await reader.read()).decode()
        finally:
            writer.close()


def servers_in(stat: str, expected: dict[str, str]) -> dict[str, Seen]:
    """From what ``show stat`` says; a server that HAProxy does not have where it should be is starting."""
    found = {}
    for row in csv.DictReader(stat.removeprefix("# ").splitlines()):
        name = row["svname"]
        if row["pxname"] != _BACKEND or name not in expected:
            continue
        state = _STATES.get(row["status"].split()[0], "starting")
        checked = row["check_status"].removeprefix("* ")  # the star: another check is under way
        if row["addr"] != expected[name] or (state == "up" and checked in {"", "INI"}):
            state = "starting"
        cause = " ".join(word for word in (checked, row["last_chk"]) if word)
        found[name] = Seen(state, cause, int(row["stot"] or 0), int(row["scur"] or 0))
    return found


def ties_in(table: str) -> tuple[dict[str, str], dict[str, float]]:
    """Each session's server, and the seconds for which it is remembered from now on."""
    found = [(key[:_FINGERPRINT].lower(), int(left), server) for key, left, server in _ENTRY.findall(table)]
    return {key: server for key, _, server in found}, {key: left / 1000 for key, left, _ in found}
