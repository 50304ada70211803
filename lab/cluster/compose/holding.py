"""One container as the lab holds it: its name stays, where it can be reached changes with every start."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import docker.errors
import requests

from lab.cluster.gauge import Load
from lab.cluster.ports import Address
from lab.errors import EnvironmentProblem

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from docker.models.containers import Container

    from lab.cluster.compose.engine import Engine

_NANOSECONDS = 1e9
_SHOWN_LOG_LINES = 15


class Holding:
    """``is_end_expected`` as for a process: who ends it on purpose says so first."""

    def __init__(self, engine: Engine, container: Container, log: Path, name: str = "") -> None:
        self.name: str = name or str(container.name)
        self.id: str = str(container.id)
        self.log = log
        self.is_end_expected = False
        self.load: Load | None = None
        self._engine = engine
        self._container = container
        self._before: tuple[float, datetime] | None = None

    async def refresh(self) -> None:
        await self._engine.do(self._container.reload)

    @property
    def status(self) -> str:
        """``running``, ``paused``, ``exited`` ... when it was last refreshed."""
        return str(self._container.status)

    def published(self, port: int) -> Address:
        """Where this machine reaches ``port`` of it."""
        found = (self._settings["Ports"] or {}).get(f"{port}/tcp") or []
        if not found:
            raise EnvironmentProblem(f"{self.name} should publish its port {port}; the engine knows of none.")
        return Address(found[0]["HostIp"], int(found[0]["HostPort"]))

    def address_on(self, network: str, port: int) -> Address:
        """Where others on ``network`` reach it."""
        return Address(self._settings["Networks"][network]["IPAddress"], port)

    async def kill(self) -> None:
        await self._end(self._container.kill)

    async def stop(self, grace: int) -> None:
        await self._end(self._container.stop, timeout=grace)

    async def pause(self) -> None:
        await self._engine.do(self._container.pause)

    async def unpause(self) -> None:
        await self.refresh()
        if self.status == "paused":
            await self._engine.do(self._container.unpause)

    async def start(self) -> None:
        await self._engine.do(self._container.start)
        self.is_end_expected = False
        self._before = None
        await self.refresh()

    async def disconnect(self, network: str) -> None:
        await self._engine.do(self._engine.client.networks.get(network).disconnect, self._container)

    async def connect(self, network: str, aliases: list[str]) -> None:
        await self.refresh()
        if network not in self._settings["Networks"]:
            found = await self._engine.do(self._engine.client.networks.get, network)
            await self._engine.do(found.connect, self._container, aliases=aliases)
            await self.refresh()

    async def ended(self) -> int:
        """The exit code, once it runs no more."""
        try:
            code = await self._engine.do(self._container.wait, timeout=None)
        except docker.errors.NotFound:
            return 0
        return int(code["StatusCode"])

    async def says(self, *words: str) -> str:
        """What a command inside it prints."""
        done = await self._engine.do(self._container.exec_run, list(words))
        return _whole(done.output).decode(errors="replace").strip()

    async def weigh(self) -> None:
        """Read CPU and memory into ``load``; None when it is gone."""
        try:
            read = await self._engine.do(
                self._engine.client.api.stats, self._container.id, stream=False, one_shot=True
            )
        except (docker.errors.APIError, requests.RequestException):
            read = {}
        self.load = self._load_in(read)

    async def write_log(self) -> None:
        """All that it ever said, into the run's folder."""
        with suppress(docker.errors.APIError):
            text = await self._engine.do(self._container.logs)
            await asyncio.to_thread(self.log.write_bytes, _whole(text))

    async def last_lines(self) -> list[str]:
        with suppress(docker.errors.APIError):
            text = await self._engine.do(self._container.logs, tail=_SHOWN_LOG_LINES)
            return _whole(text).decode(errors="replace").splitlines()
        return []

    async def _end(self, act: Any, **named: Any) -> None:
        self.is_end_expected = True
        self.load = None
        with suppress(docker.errors.NotFound):
            await self._engine.do(act, **named)
        await self.ended()

    @property
    def _settings(self) -> dict[str, Any]:
        settings: dict[str, Any] = self._container.attrs["NetworkSettings"]
        return settings

    def _load_in(self, read: dict[str, Any]) -> Load | None:
        memory = read.get("memory_stats") or {}
        if "usage" not in memory:
            self._before = None
            return None
        used = read["cpu_stats"]["cpu_usage"]["total_usage"] / _NANOSECONDS
        at = _moment(read["read"])
        before, self._before = self._before, (used, at)
        passed = (at - before[1]).total_seconds() if before else 0.0
        cpu = 100 * (used - before[0]) / passed if before and passed > 0 else 0.0
        # As `docker stats` counts: pages of files that were only read once are no memory in use.
        cache = (memory.get("stats") or {}).get("inactive_file", 0)
        return Load(max(0.0, cpu), memory["usage"] - cache)


def _whole(answer: bytes | Iterable[bytes]) -> bytes:
    return answer if isinstance(answer, bytes) else b"".join(answer)


def _moment(text: str) -> datetime:
    """The engine writes nanoseconds, of which Python reads the first six digits."""
    return datetime.strptime(text[:26].rstrip("Z").ljust(26, "0"), "%Y-%m-%dT%H:%M:%S.%f").replace(tzinfo=UTC)
