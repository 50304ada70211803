"""A site that ``cartlab up`` left standing, as other commands see it: its record and its two APIs."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from lab.cluster.leftovers import is_running
from lab.errors import EnvironmentProblem
from lab.topology import Platform

if TYPE_CHECKING:
    import httpx

    from lab.cluster.registry import Record

#: The keeper's socket, in the family's den.
SOCKET = "keeper.sock"
_STARTING_TAKES_AT_MOST = 60.0


@dataclass(frozen=True, slots=True)
class Description:
    """What the keeper writes into the registry. ``front`` and ``admin`` are URLs, ``run`` its name there."""

    mode: str
    sticky: str
    front: str
    admin: str
    store: str | None
    den: str
    logs: str
    platform: str = Platform.PROCESSES
    run: str = ""


@dataclass(frozen=True, slots=True)
class ServerRow:
    """``pid`` is None when the process is gone."""

    name: str
    state: str
    cause: str
    sessions: int
    address: str
    pid: int | None


@dataclass(frozen=True, slots=True)
class Standing:
    """``description`` is None while the keeper still starts it: then only its name is known."""

    record: Record
    description: Description | None

    @classmethod
    def of(cls, record: Record) -> Self:
        return cls(record, Description(**record.site) if record.site else None)

    @property
    def name(self) -> str:
        return self.record.name

    @property
    def about(self) -> Description:
        if self.description is None:
            raise EnvironmentProblem(f"The {self.name} site is still starting. Ask again in a moment.")
        return self.description

    @property
    def is_in_containers(self) -> bool:
        return self.description is not None and self.description.platform == Platform.DOCKER

    def servers(self) -> list[ServerRow]:
        pids = self._pids()
        rows = self._admin("/servers").json()["servers"]
        return [
            ServerRow(
                name=row["name"],
                state=row["state"],
                cause=row["cause"] or "",
                sessions=row["sessions"],
                address=row["address"],
                pid=pids.get(row["name"]),
            )
            for row in rows
        ]

    def find(self, session: str) -> dict[str, Any] | None:
        """Who holds ``session`` (a fingerprint), or None."""
        answer = self._admin(f"/sessions/{session}")
        return answer.json() if answer.status_code == HTTPStatus.OK else None

    def start(self, server: str) -> None:
        """Have the keeper start ``server`` again; returns when it is up."""
        import httpx  # noqa: PLC0415 - 0.1 s that only these commands should pay

        transport = httpx.HTTPTransport(uds=str(Path(self.about.den) / SOCKET))
        with httpx.Client(transport=transport, timeout=_STARTING_TAKES_AT_MOST) as keeper:
            answer = keeper.post(f"http://keeper/servers/{server}/start")
        if answer.status_code != HTTPStatus.OK:
            raise EnvironmentProblem(answer.json()["message"])

    def _pids(self) -> dict[str, int]:
        """Of the servers that run: where they are containers, the engine knows."""
        if self.about.platform == Platform.DOCKER:
            from lab.cluster.compose.engine import running  # noqa: PLC0415 - the SDK, only where needed

            return running(self.about.run)
        living = {member.name: member.pid for member in self.record.members if is_running(member)}
        return {name.removeprefix(f"{self.name}-"): pid for name, pid in living.items()}

    def _admin(self, path: str) -> httpx.Response:
        import httpx  # noqa: PLC0415 - as above

        url = f"{self.about.admin}{path}"
        try:
            # trust_env: a proxy of this shell has no business with loopback.
            return httpx.get(url, trust_env=False)
        except httpx.TransportError as problem:
            raise EnvironmentProblem(
                f"GET {url} should be answered by the balancer of the {self.name} site; {problem}. "
                f"Its log is in {self.about.logs}; 'cartlab down' ends what is left."
            ) from None
