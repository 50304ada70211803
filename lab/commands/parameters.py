"""Values on the command line, read and refused in the words of the lab."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

import click

from lab.errors import UsageProblem, unknown
from lab.topology import OURS, Platform

if TYPE_CHECKING:
    from collections.abc import Mapping

Value = TypeVar("Value")


class Named(click.ParamType[Value], Generic[Value]):
    """One of ``known``; anything else is refused with the nearest name."""

    def __init__(self, name: str, known: Mapping[str, Value]) -> None:
        self.name = name
        self._known = known

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Value:
        name = str(value)
        if name not in self._known:
            self.fail(str(unknown(self.name, name, self._known)), param, ctx)
        return self._known[name]


class Share(click.ParamType[int]):
    """``20%`` or ``20``: a whole number from 0 to 100."""

    name = "percent"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        text = str(value).removesuffix("%")
        if not text.isdecimal() or int(text) > 100:  # noqa: PLR2004 - a percentage
            self.fail(f"{value!r} was given; a share from 0% to 100% was expected.", param, ctx)
        return int(text)


docker_option = click.option(
    "--docker", is_flag=True, help="In containers, by Docker Compose, instead of plain processes."
)


swarm_option = click.option(
    "--swarm", is_flag=True, help="On Docker Swarm, which replaces a dead server by itself."
)


only_docker_option = click.option("--docker", is_flag=True, help="Only sites in containers.")


def asked_platform(*, docker: bool, swarm: bool = False) -> Platform:
    if docker and swarm:
        raise UsageProblem(
            "--docker starts containers by Compose and --swarm by Docker Swarm: give one of the two."
        )
    return Platform.SWARM if swarm else Platform.DOCKER if docker else Platform.PROCESSES


def platform_for(asked: Platform, *, lb: str, redis_url: str | None) -> Platform:
    """Where the programs are to live; what cannot be had there is refused before anything starts."""
    if asked is Platform.PROCESSES:
        return asked
    if lb != OURS:
        raise UsageProblem(f"--lb {lb} runs as a process of this machine; in containers it is --lb {OURS}.")
    if redis_url:
        raise UsageProblem(
            "--redis-url names a store that the containers cannot reach, for the network of their store is "
            f"closed: leave out one of --redis-url and {asked.flag}."
        )
    if asked is Platform.SWARM:
        from lab.cluster.swarm.stack import require  # noqa: PLC0415 - the SDK, only where it is asked for
    else:
        from lab.cluster.compose.engine import require  # noqa: PLC0415 - the same
    require()
    return asked
