"""Which swarm a run is in: one that is there is used and left as it is, one that the lab made goes with it.

The lab's own carries the label of the registry. All that makes or ends one happens under the registry's
guard, and a run's secrets are there from the first such moment to the last: who finds the swarm without
services and secrets is the last of all runs, and leaves.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import docker
import docker.errors

from lab.cluster.compose.blueprint import REGISTRY
from lab.cluster.compose.command import NoDocker
from lab.cluster.swarm.blueprint import SECRETS, secret_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.cluster.compose.blueprint import Owner
    from lab.cluster.registry import Registry

_LOOPBACK = "127.0.0.1"
_OR = "Or run without it: --docker needs no swarm."


def is_manager(client: docker.DockerClient) -> bool:
    return bool(_told(client).get("ControlAvailable"))


def check(client: docker.DockerClient) -> None:
    if why := refusal(_told(client)):
        raise NoDocker(why)


def refusal(told: Mapping[str, Any]) -> str | None:
    """Why the lab keeps away from an engine that says this of its swarm; None where it may deploy. Pure."""
    state = told.get("LocalNodeState", "unknown to it")
    if state == "inactive":
        return None
    if state != "active":
        return (
            f"Asked the engine for its swarm; expected it in one or in none, and its state is {state} "
            f"{told.get('Error', '')}: 'docker info' and 'docker swarm --help' say more. {_OR}"
        )
    if not told.get("ControlAvailable"):
        return (
            "This engine is a worker in somebody's swarm and may not deploy there; the lab leaves it as it "
            f"is. Use another engine. {_OR}"
        )
    if told.get("Nodes") != 1:
        return (
            f"This engine is in a swarm of {told.get('Nodes')} nodes; the lab has its images on this one and"
            " goes to containers by their own addresses, so it would see only those that happen to run here. "
            f"Use an engine in a swarm of one node, or in none: the lab then makes one, and leaves it. {_OR}"
        )
    return None


def enter(client: docker.DockerClient, owner: Owner, registry: Registry) -> None:
    """Be in a swarm, with this run's own keys in it."""
    with registry.guard():
        check(client)
        try:
            if not is_manager(client):
                client.swarm.init(
                    advertise_addr=_LOOPBACK,
                    listen_addr=f"{_LOOPBACK}:2377",
                    labels={REGISTRY: str(registry.root)},
                )
            for name in SECRETS:
                client.secrets.create(
                    name=secret_name(owner, name), data=secrets.token_hex(32).encode(), labels=owner.labels
                )
        except docker.errors.APIError as problem:
            raise NoDocker(
                f"Asked the engine to be a swarm of one node, at {_LOOPBACK}; it said: {problem.explanation}."
                f" Rootless engines, and some kernels, know no overlay networks. {_OR}"
            ) from None


def leave_if_last(client: docker.DockerClient, registry: Registry) -> bool:
    """End the swarm if the lab of this registry made it and nothing lives in it; whether it did."""
    with registry.guard():
        if not is_manager(client):
            return False
        client.swarm.reload()
        labels: dict[str, Any] = client.swarm.attrs["Spec"].get("Labels") or {}
        is_ours = labels.get(REGISTRY) == str(registry.root)
        if not is_ours or _told(client).get("Nodes") != 1 or client.services.list() or client.secrets.list():
            return False
        with suppress(docker.errors.APIError):  # left already, by the sweeper
            client.swarm.leave(force=True)
        return True


def _told(client: docker.DockerClient) -> dict[str, Any]:
    told: dict[str, Any] = client.info().get("Swarm") or {}
    return told
