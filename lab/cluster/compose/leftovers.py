"""Containers of runs that are dead: found by our labels, and by nothing else, in this user's registry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.cluster.compose.blueprint import REGISTRY, RUN
from lab.cluster.swarm.membership import leave_if_last
from lab.cluster.swarm.removal import labels_in_swarm, remove

if TYPE_CHECKING:
    import docker

    from lab.cluster.compose.engine import Filters
    from lab.cluster.registry import Registry


@dataclass(frozen=True, slots=True)
class LeftContainers:
    run: str
    containers: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"run {self.run} in containers: {', '.join(self.containers) or 'networks and what else it made'}"
        )


def find(client: docker.DockerClient, registry: Registry) -> list[LeftContainers]:
    living = {run.folder.name for run in registry.all() if run.alive}
    names: dict[str, list[str]] = {}
    ours: Filters = {"label": [f"{REGISTRY}={registry.root}", RUN]}
    for container in client.containers.list(all=True, filters=ours, ignore_removed=True):
        names.setdefault(container.labels[RUN], []).append(str(container.name))
    for things in (client.networks.list(filters=ours), client.volumes.list(filters=ours)):
        for thing in things:
            names.setdefault((thing.attrs.get("Labels") or {}).get(RUN, ""), [])
    for labels in labels_in_swarm(client, registry):
        if run := labels.get(RUN):
            names.setdefault(run, [])
    return [LeftContainers(run, tuple(sorted(names[run]))) for run in sorted(names) if run not in living]


def clean(client: docker.DockerClient, registry: Registry) -> list[LeftContainers]:
    """Remove them; a living run's, another user's and everybody else's are never touched."""
    found = find(client, registry)
    for left in found:
        remove(client, left.run, registry)
    leave_if_last(client, registry)
    return found
