"""What ``cartlab doctor --docker`` asks on top: command, Compose, engine, images, left-overs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import docker
import docker.errors

from lab.cluster.compose import command, leftovers
from lab.cluster.compose.engine import connect
from lab.doctor import Finding, Level

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.cluster.registry import Registry

_BUILD = "a run builds it, or: scripts/offline-images, where no registry can be reached"


def examine_docker(registry: Registry) -> Iterator[Finding]:
    """Stops at the first thing without which nothing further can be asked."""
    try:
        yield Finding(Level.OK, "compose", command.check())
        client = connect()
    except command.NoDocker as problem:
        yield Finding(
            Level.BAD, "docker", str(problem), "see above; without --docker the lab needs none of it"
        )
        return
    try:
        yield Finding(Level.OK, "engine", f"{client.version()['Version']} at {command.engine_address()}")
        yield from images(client)
        found = leftovers.find(client, registry)
        for left in found:
            yield Finding(Level.WARN, "containers", f"left over: {left}", "cartlab down --docker")
        if not found:
            yield Finding(Level.OK, "containers", "nothing left over")
    finally:
        client.close()


def images(client: docker.DockerClient) -> Iterator[Finding]:
    """Those that Compose needs, by the names that its file gives them."""
    try:
        services = command.pattern()["services"]
    except command.NoDocker as problem:
        yield Finding(Level.BAD, "images", str(problem), "clone the repository, and run ./cartlab there")
        return
    for name in sorted({service["image"] for service in services.values()}):
        try:
            size = client.images.get(name).attrs["Size"] / 1e6
        except docker.errors.ImageNotFound:
            yield Finding(Level.WARN, "image", f"{name} is not here yet", _BUILD)
        else:
            yield Finding(Level.OK, "image", f"{name}, {size:.0f} MB")
