"""All containers of one run: up by Compose, held through the SDK, gone when the run is."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from lab.cluster import environment
from lab.cluster.child import Program
from lab.cluster.compose import command, leftovers
from lab.cluster.compose.blueprint import RUN, Owner, Ports, blueprint
from lab.cluster.compose.command import NoDocker
from lab.cluster.compose.engine import Engine, connect, remove_run
from lab.cluster.compose.site import ComposeSite
from lab.cluster.errors import ChildLost, ended_with
from lab.cluster.site import together

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Iterator, Sequence
    from pathlib import Path

    from lab.cluster.compose.holding import Holding
    from lab.cluster.family import Family
    from lab.timeline import ServerChanged
    from lab.topology import Arm

PROJECT = "COMPOSE_PROJECT_NAME"


@asynccontextmanager
async def open_stack(
    arms: Sequence[Arm],
    family: Family,
    *,
    ports: Ports | None = None,
    clock: Callable[[], float] = time.monotonic,
    on_change: Callable[[ServerChanged], None] = lambda _: None,
) -> AsyncIterator[dict[str, ComposeSite]]:
    """All ``arms`` at once, by name, every server up; their containers are gone when the block ends.

    NoDocker says what is missing: the command, Compose, the engine, the right to use it, an image.
    """
    command.check()
    engine = Engine(connect())
    try:
        await engine.do(leftovers.clean, engine.client, family.registry)
        owner = owner_of(engine, family)
        stack = Stack(arms, family, engine, owner)
        with swept(owner, family.logs):
            async with stack.up(ports or Ports()):
                sites = {
                    arm.name: ComposeSite(arm, family.logs, engine, owner, clock=clock, on_change=on_change)
                    for arm in arms
                }
                async with _opened(sites.values(), family, engine, owner):
                    yield sites
    finally:
        engine.close()


@dataclass(frozen=True, slots=True)
class Stack:
    arms: Sequence[Arm]
    family: Family
    engine: Engine
    owner: Owner

    @asynccontextmanager
    async def up(self, ports: Ports) -> AsyncIterator[None]:
        """``docker compose up`` with this run's own file; afterwards nothing of it is left."""
        file = self.family.logs / "compose.json"
        try:
            writing = asyncio.to_thread(self._write, file, ports)
            await together(writing, to_its_end(self.family, "images", command.build_command()))
            await to_its_end(self.family, "compose", command.up_command(file))
            yield
        finally:
            await self._down()

    def _write(self, file: Path, ports: Ports) -> None:
        made = blueprint(command.pattern(), self.arms, self.owner, ports)
        file.write_text(json.dumps(made), encoding="utf-8")

    async def _down(self) -> None:
        await shielded(self.engine.do(remove_run, self.engine.client, self.owner.run, self.owner.registry))


async def to_its_end(family: Family, name: str, words: list[str]) -> None:
    """Run a command of Docker's; CannotStart, with its last words, when it fails."""
    child = await family.start(Program(name, words, family.logs / f"{name}.log", os.environ))
    if code := await child.wait():
        why = command.why_up_failed(child.last_lines())
        raise child.cannot_start(f"{ended_with(code)}: {why}")


async def shielded(removal: Coroutine[object, object, object]) -> None:
    """A second Ctrl-C must not leave half of it. The sweeper has the last word anyway."""
    removing = asyncio.ensure_future(removal)
    try:
        await asyncio.shield(removing)
    except asyncio.CancelledError:
        await asyncio.wait([removing])
        raise


@asynccontextmanager
async def _opened(
    sites: Collection[ComposeSite], family: Family, engine: Engine, owner: Owner
) -> AsyncIterator[None]:
    containers = await engine.containers(**{RUN: owner.run})
    try:
        await together(*(site.open(containers) for site in sites))
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


async def loss_of(held: Holding) -> ChildLost | None:
    code = await held.ended()
    if held.is_end_expected:
        return None
    return ChildLost(held.name, ended_with(code), held.log, await held.last_lines())


@contextmanager
def swept(owner: Owner, logs: Path) -> Iterator[None]:
    """Inside, containers end with this process, however it ends. ``sweeper.py`` says how."""
    asked = (owner.run, owner.registry, str(logs))
    read_end, write_end = os.pipe()
    try:
        sweeper = subprocess.Popen(
            [sys.executable, "-P", "-m", "lab.cluster.compose.sweeper", *asked],
            stdin=read_end,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **environment.with_our_code()},
            start_new_session=True,
        )
    finally:
        os.close(read_end)
    try:
        yield
    finally:
        with suppress(BrokenPipeError):  # somebody has ended it
            os.write(write_end, b".")
        os.close(write_end)
        sweeper.wait()


def owner_of(engine: Engine, family: Family, projects: str = "com.docker.compose.project") -> Owner:
    """``projects`` is the label by which the engine knows whose a container is."""
    run = family.folder.name
    project = os.environ.get(PROJECT) or f"cartlab-{run}"
    label = f"{projects}={project}"
    if there := engine.client.containers.list(all=True, filters={"label": label}):
        raise NoDocker(
            f"{PROJECT}={project} names a project that has {len(there)} containers already, {there[0].name} "
            f"among them. End it first (docker compose -p {project} down), or choose another name."
        )
    return Owner(project, run, str(family.registry.root))
