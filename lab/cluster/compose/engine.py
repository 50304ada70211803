"""The engine, through its SDK: whose calls block, so each runs in a thread of ours."""

from __future__ import annotations

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import docker
import docker.errors
import requests

from lab.cluster.compose.blueprint import NAME, REGISTRY, RUN
from lab.cluster.compose.command import NoDocker, check, engine_address, repository

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from docker.models.containers import Container

Answer = TypeVar("Answer")
Filters = dict[str, str | list[str] | bool]

_ANSWERS_WITHIN = 30
_THREADS = 64
#: Gone already, or somebody else is removing it this moment: what was wanted.
_GONE = (docker.errors.NotFound,)
_HERE = re.compile(r"unix://|npipe://|tcp://(127\.|localhost|\[::1\])")


class Removable(Protocol):
    def remove(self) -> None: ...


class Engine:
    """Open until ``close``. Problems with the engine itself come out as NoDocker."""

    def __init__(self, client: docker.DockerClient) -> None:
        self.client = client
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="engine")

    async def do(self, act: Callable[..., Answer], *arguments: Any, **named: Any) -> Answer:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, lambda: act(*arguments, **named))
        except requests.ConnectionError as problem:
            raise NoDocker(f"The Docker Engine was there and does not answer any more: {problem}") from None

    async def containers(self, **labels: str) -> list[Container]:
        return await self.do(self.client.containers.list, all=True, filters={"label": labelled(labels)})

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        self.client.close()


def connect() -> docker.DockerClient:
    """The engine that the command line means, once it has answered; else NoDocker says what to do."""
    address = engine_address()
    if not _HERE.match(address):
        raise NoDocker(
            f"The engine is at {address}, on another machine; the lab publishes its ports on the loopback of "
            "the engine's machine and shops there. Use an engine on this machine: unset DOCKER_HOST, or "
            "'docker context use default'."
        )
    try:
        client = _client(address)
        client.ping()
    except (docker.errors.DockerException, requests.RequestException, OSError) as problem:
        raise NoDocker(_why_no_answer(address, problem)) from None
    return client


def require() -> None:
    """Refuse, before anything starts, a machine on which no site in containers can."""
    check()
    repository()
    connect().close()


def versions() -> dict[str, str]:
    """Of the engine and of Compose."""
    client = connect()
    try:
        return {"docker engine": str(client.version()["Version"]), "docker compose": check()}
    finally:
        client.close()


def running(run: str) -> dict[str, int]:
    """The containers of ``run`` that are not ended, by name: their process ids, as the engine counts them."""
    client = connect()
    try:
        found = client.containers.list(filters={"label": labelled({RUN: run})}, ignore_removed=True)
        return {one.labels[NAME]: one.attrs["State"]["Pid"] for one in found if NAME in one.labels}
    finally:
        client.close()


def remove_run(client: docker.DockerClient, run: str, registry: str) -> int:
    """Everything that carries this run's labels, and nothing else; how many containers there were."""
    labels: Filters = {"label": labelled({RUN: run, REGISTRY: registry})}
    found = client.containers.list(all=True, filters=labels, ignore_removed=True)
    with ThreadPoolExecutor(max(1, len(found))) as threads:
        list(threads.map(_remove_container, found))
    networks = client.networks.list(filters={**labels, "scope": "local"})
    for things in (networks, client.volumes.list(filters=labels)):
        _remove_all(things)
    return len(found)


def _remove_container(container: Container) -> None:
    with suppress(docker.errors.APIError):  # removed by another: it says 404 or 409
        container.remove(force=True, v=True)


def _remove_all(things: Iterable[Removable]) -> None:
    for thing in things:
        with suppress(*_GONE):
            thing.remove()


def _client(address: str) -> docker.DockerClient:
    if address.startswith("tcp://"):
        return docker.from_env(timeout=_ANSWERS_WITHIN, max_pool_size=_THREADS)
    return docker.DockerClient(address, timeout=_ANSWERS_WITHIN, max_pool_size=_THREADS)


def _why_no_answer(address: str, problem: Exception) -> str:
    text = str(problem)
    if "Permission denied" in text or "PermissionError" in text:
        return (
            f"Asked the Docker Engine at {address}; this user may not use its socket. Add yourself to its "
            "group (sudo usermod -aG docker $USER) and log in again, or use rootless Docker."
        )
    return (
        f"Asked the Docker Engine at {address}; none answered ({text[:200]}). Start it: Docker Desktop, "
        "'sudo systemctl start docker', or scripts/docker-engine start; or run the lab without --docker."
    )


def labelled(labels: dict[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in labels.items()]
