"""All services of one run: a stack deployed on a swarm of one node, gone when the run is."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import docker.errors

from lab.cluster.compose import command, leftovers
from lab.cluster.compose.command import NoDocker
from lab.cluster.compose.engine import Engine, connect
from lab.cluster.compose.stack import loss_of, owner_of, shielded, swept, to_its_end
from lab.cluster.site import together
from lab.cluster.swarm import membership
from lab.cluster.swarm.blueprint import blueprint
from lab.cluster.swarm.removal import remove
from lab.cluster.swarm.site import SwarmSite

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from typing import Any

    from lab.cluster.compose.blueprint import Owner
    from lab.cluster.family import Family
    from lab.timeline import ServerChanged
    from lab.topology import Arm

FILE = "docker-stack.yml"
_NAMESPACE = "com.docker.stack.namespace"


def require() -> None:
    """Refuse, before anything starts, a machine on which no site on Swarm can."""
    if sys.platform != "linux":
        raise NoDocker(
            "--swarm goes to containers by their own addresses, for Swarm publishes no port on loopback "
            "alone; on this system the engine is in a virtual machine of its own. --docker works here."
        )
    command.check()
    command.repository()
    client = connect()
    try:
        membership.check(client)
    finally:
        client.close()


@asynccontextmanager
async def open_swarm(
    arms: Sequence[Arm],
    family: Family,
    *,
    clock: Callable[[], float] = time.monotonic,
    on_change: Callable[[ServerChanged], None] = lambda _: None,
) -> AsyncIterator[dict[str, SwarmSite]]:
    """All ``arms`` at once, by name, every server up; the stack is gone when the block ends.

    NoDocker says what is missing, as for containers, and which swarm the lab keeps away from.
    """
    command.check()
    engine = Engine(connect())
    try:
        await engine.do(leftovers.clean, engine.client, family.registry)
        owner = owner_of(engine, family, _NAMESPACE)
        with swept(owner, family.logs):
            async with _deployed(arms, family, engine, owner):
                sites = {
                    arm.name: SwarmSite(arm, family.logs, engine, owner, clock=clock, on_change=on_change)
                    for arm in arms
                }
                async with _opened(list(sites.values()), family):
                    yield sites
    finally:
        engine.close()


@asynccontextmanager
async def _deployed(arms: Sequence[Arm], family: Family, engine: Engine, owner: Owner) -> AsyncIterator[None]:
    pattern = await asyncio.to_thread(command.pattern, FILE)
    stack = blueprint(pattern, arms, owner)
    file = family.logs / "stack.json"
    file.write_text(json.dumps(stack), encoding="utf-8")
    await to_its_end(family, "images", command.build_command())
    await engine.do(_require_images, engine, stack)
    try:
        await engine.do(membership.enter, engine.client, owner, family.registry)
        await to_its_end(family, "stack", command.deploy_command(file, owner.project))
        yield
    finally:
        await shielded(engine.do(remove, engine.client, owner.run, family.registry))


def _require_images(engine: Engine, stack: dict[str, Any]) -> None:
    """Swarm would say it late, and only to who asks for its tasks."""
    for name in sorted({service["image"] for service in stack["services"].values()}):
        try:
            engine.client.images.get(name)
        except docker.errors.ImageNotFound:
            raise NoDocker(
                f"Swarm starts only what is on its node already, and {name} is not: 'docker pull {name}', "
                "or scripts/offline-images, which makes every image on this machine."
            ) from None


@asynccontextmanager
async def _opened(sites: list[SwarmSite], family: Family) -> AsyncIterator[None]:
    try:
        await together(*(site.open() for site in sites))
        for site in sites:
            for held in site.vital:
                family.watch(partial(loss_of, held))
        yield
    finally:
        for site in sites:
            site.stop_following()
            for held in site.vital:
                held.is_end_expected = True
        await together(*(site.write_logs() for site in sites))
        await together(*(site.close() for site in sites))
