"""``cartlab up``: leave a site standing and say what to try with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import click

from lab.cluster import environment, loopback
from lab.cluster.errors import PortTaken
from lab.cluster.foreign.finding import find
from lab.cluster.registry import Registry
from lab.cluster.standing import Description
from lab.commands.help_pages import exit_codes_mean
from lab.commands.parameters import Named, asked_platform, docker_option, platform_for
from lab.commands.what_to_try import own_command, page
from lab.errors import EnvironmentProblem
from lab.report.folder import RunFolder
from lab.topology import ARMS, BALANCERS, OURS
from lab.verdict import ExitCode

EPILOG = f"""
\b
Examples:
  cartlab up --mode sticky                                   one site, on port 8080
  cartlab up --mode stateless --port 8081 --admin-port 8405  and another one beside it
  cartlab status                                             what stands, and who holds how much
  cartlab down                                               end it all

{
    exit_codes_mean(
        {
            ExitCode.HELD: "the site stands",
            ExitCode.USAGE: "the command was called wrongly",
            ExitCode.ENVIRONMENT: "it cannot stand here: a port, the store, a program that did not start",
            ExitCode.INTERRUPTED: "interrupted while it started; nothing is left",
        }
    )
}
"""


@click.command(epilog=EPILOG)
@click.option(
    "--mode",
    type=Named("mode", {name: name for name in ARMS}),
    required=True,
    metavar="sticky|stateless",
    help="Where a cart lives: one server's memory, or the store.",
)
@click.option("--servers", type=click.IntRange(1, 12), default=3, show_default=True)
@click.option(
    "--lb",
    type=Named("balancer", {name: name for name in BALANCERS}),
    default=OURS,
    show_default=True,
    metavar="|".join(BALANCERS),
    help="The balancer: the lab's, or one from PATH.",
)
@docker_option
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8080,
    show_default=True,
    help="Where shoppers go; 0 takes a free one.",
)
@click.option(
    "--admin-port",
    type=click.IntRange(0, 65535),
    default=8404,
    show_default=True,
    help="The balancer's admin API; 0 takes a free one.",
)
@click.option(
    "--runs",
    type=click.Path(file_okay=False, path_type=Path),
    default="runs",
    show_default=True,
    help="Folder that keeps the logs.",
)
@click.option(
    "--redis-url",
    metavar="URL",
    envvar="CARTLAB_REDIS_URL",
    help="Use this Redis or Valkey instead of starting one.",
)
def up(
    *, mode: str, servers: int, lb: str, docker: bool, port: int, admin_port: int, runs: Path,
    redis_url: str | None,
) -> None:  # fmt: skip
    """Leave a site running, for curl, a browser or any HTTP client.

    It listens on this machine only and has its chaos endpoints on: POST /crash crashes the server
    that answers. It stays until 'cartlab down'; a crashed server stays down until 'cartlab start'.
    """
    if lb != OURS:
        find(lb)
    registry = Registry()
    _refuse_a_second(mode, registry)
    for number, flag in ((port, "--port"), (admin_port, "--admin-port")):
        _require_free(number, flag, registry)
    platform = platform_for(asked_platform(docker=docker), lb=lb, redis_url=redis_url)
    folder = RunFolder.create(runs.absolute(), f"up-{mode}").path
    options: dict[str, Any] = {
        "mode": mode,
        "servers": servers,
        "lb": lb,
        "port": port,
        "admin-port": admin_port,
    }
    options |= {"folder": folder, "platform": platform}
    click.echo(f"Starting a {mode} site with {servers} servers ...")
    if lb != OURS:
        click.echo(f"Its balancer, {lb}, {BALANCERS[lb]}.")
    for line in page(_launch(options, folder, redis_url)):
        click.echo(line)


def _refuse_a_second(mode: str, registry: Registry) -> None:
    if any(record.name == mode for record in registry.living("site")):
        raise EnvironmentProblem(
            f"A {mode} site stands already: '{own_command()} status' shows it, '{own_command()} down {mode}' "
            "ends it. A site of the other mode can stand beside it, with another --port and --admin-port."
        )


def _require_free(port: int, flag: str, registry: Registry) -> None:
    if site := registry.site_on(port):
        owner = f"your own {site.name} site ('{own_command()} down {site.name}' ends it)"
        raise PortTaken(loopback.LOOPBACK, port, owner, flag)
    loopback.require_free(port, flag)


def _launch(options: dict[str, Any], folder: Path, redis_url: str | None) -> Description:
    """Start the keeper in a session of its own, so that it outlives this command and its terminal."""
    flags = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    (folder / "log").mkdir(exist_ok=True)
    log = folder / "log" / "keeper.log"
    settings = {**os.environ, **environment.with_our_code()}
    if redis_url:
        settings["CARTLAB_REDIS_URL"] = redis_url  # not by a flag: it may hold a password
    with log.open("ab") as stderr:
        keeper = subprocess.Popen(
            [sys.executable, "-P", "-m", "lab.keeper", *flags],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=settings,
            start_new_session=True,
        )
    try:
        said = _first_line(keeper, log)
    except BaseException:
        # Ctrl-C while it starts: a half-started site is of no use to anyone.
        keeper.terminate()
        keeper.wait()
        raise
    if said["event"] != "ready":
        keeper.wait()
        raise EnvironmentProblem(said["message"])
    return Description(**said["site"])


def _first_line(keeper: subprocess.Popen[bytes], log: Path) -> dict[str, Any]:
    """The keeper has deadlines of its own: it says something, or it is gone."""
    line = keeper.stdout.readline() if keeper.stdout else b""
    if not line:
        code = keeper.wait()
        raise EnvironmentProblem(f"The keeper of the site ended with code {code}. Its log: {log}")
    said: dict[str, Any] = json.loads(line)
    return said
