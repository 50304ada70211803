"""All that a run left on the engine, on Swarm or not: found by its labels, and by nothing else."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

import docker
import docker.errors

from lab.cluster.compose.blueprint import REGISTRY, RUN
from lab.cluster.compose.engine import remove_run
from lab.cluster.swarm.membership import is_manager, leave_if_last

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.cluster.compose.engine import Filters
    from lab.cluster.registry import Registry

#: A network is in use until the last task on it is gone.
_TAKES_AT_MOST = 30.0
_LOOK_AGAIN = 0.2


class Removable(Protocol):
    def remove(self) -> object: ...


def labels_in_swarm(client: docker.DockerClient, registry: Registry) -> list[dict[str, str]]:
    """Labels of every service and secret of this registry's runs."""
    if not is_manager(client):
        return []
    ours: Filters = {"label": f"{REGISTRY}={registry.root}"}
    things = [*client.services.list(filters=ours), *client.secrets.list(filters=ours)]
    return [thing.attrs["Spec"]["Labels"] for thing in things]


def remove(client: docker.DockerClient, run: str, registry: Registry) -> int:
    """Everything that carries this run's labels, and our swarm if nobody needs it; how much there was."""
    found = len(list(_in_swarm(client, run, registry)))
    end = time.monotonic() + _TAKES_AT_MOST
    while things := list(_in_swarm(client, run, registry)):
        for thing in things:
            with suppress(docker.errors.APIError):  # still in use, or removed by another
                thing.remove()
        # Not in the order of a stack's end: whoever shops here has left, so no task need say goodbye.
        found += remove_run(client, run, str(registry.root))
        if time.monotonic() > end:
            break
        time.sleep(_LOOK_AGAIN)
    found += remove_run(client, run, str(registry.root))
    leave_if_last(client, registry)
    return found


def _in_swarm(client: docker.DockerClient, run: str, registry: Registry) -> Iterator[Removable]:
    if not is_manager(client):
        return
    ours: Filters = {"label": [f"{RUN}={run}", f"{REGISTRY}={registry.root}"]}
    yield from client.services.list(filters=ours)
    yield from client.networks.list(filters={**ours, "driver": "overlay"})
    yield from client.secrets.list(filters=ours)
