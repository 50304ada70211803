"""``cartlab status``, ``where``, ``start`` and ``down``: what to do with a site that ``up`` left standing."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from lab.cluster import ending, leftovers
from lab.cluster.registry import Registry
from lab.cluster.session import fingerprint
from lab.cluster.standing import Standing
from lab.commands.help_pages import exit_codes_mean
from lab.commands.parameters import only_docker_option
from lab.commands.site_view import SiteTable, plain_lines
from lab.commands.up import up
from lab.commands.what_to_try import own_command
from lab.errors import EnvironmentProblem, unknown
from lab.verdict import ExitCode

if TYPE_CHECKING:
    from collections.abc import Sequence

_NONE_STANDS = f"No site stands. Start one with: {own_command()} up --mode sticky"
_USAGE = {ExitCode.USAGE: "the command was called wrongly"}
_NO_SITE = {ExitCode.ENVIRONMENT: "no site stands, or it does not answer"}
_STATUS_CODES = {ExitCode.HELD: "shown, also when nothing stands"} | _USAGE | _NO_SITE
_WHERE_CODES = (
    {ExitCode.HELD: "a server holds it, or the question is void"}
    | _USAGE
    | {ExitCode.CANNOT_TELL: "no server is known to hold it"}
    | _NO_SITE
)
_START_CODES = {ExitCode.HELD: "every server asked for is up"} | _USAGE | _NO_SITE
_DOWN_CODES = (
    {ExitCode.HELD: "nothing stands any more that should not"}
    | _USAGE
    | {ExitCode.HEALING_FAILED: "a process could not be ended"}
)


@click.command(epilog=exit_codes_mean(_STATUS_CODES))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
@click.option("--plain", is_flag=True, help="One fact a line, without shapes and colours.")
@only_docker_option
def status(*, as_json: bool, plain: bool, docker: bool) -> None:
    """Show every standing site: servers, their states, sessions a server, addresses, store."""
    sites = _standing(Registry(), docker=docker)
    if as_json:
        click.echo(json.dumps({"sites": [_as_json(site) for site in sites]}, indent=2))
    elif not sites:
        click.echo(_NONE_STANDS)
    for site in [] if as_json else sites:
        if plain:
            click.echo("\n".join(plain_lines(site)))
        else:
            Console(highlight=False).print(SiteTable(site))


@click.command(epilog=exit_codes_mean(_WHERE_CODES))
@click.argument("session")
@click.option("--site", "name", metavar="NAME", help="Ask only this site.  [default: all that stand]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
@only_docker_option
def where(session: str, name: str | None, *, as_json: bool, docker: bool) -> int:
    """Say which server holds SESSION.

    SESSION is the value of the cookie cart_sid, a whole Set-Cookie line, a line of curl's cookie
    jar, or the sessionId that every answer shows. The cookie itself is never sent anywhere.
    """
    wanted = fingerprint(session)
    answers = [_where(site, wanted) for site in _chosen(Registry(), name, docker=docker)]
    found = [answer for answer in answers if answer["server"]]
    if as_json:
        click.echo(json.dumps({"session": wanted, "sites": answers}, indent=2))
    else:
        for answer in found or answers:
            click.echo(answer["says"])
    cannot_tell = not found and not any(answer["is_void"] for answer in answers)
    return ExitCode.CANNOT_TELL if cannot_tell else ExitCode.HELD


@click.command(epilog=exit_codes_mean(_START_CODES))
@click.argument("server", required=False)
@click.option("--site", "name", metavar="NAME", help="Of this site.  [default: all that stand]")
def start(server: str | None, name: str | None) -> None:
    """Start crashed servers again: SERVER, or all that are down.

    The process comes back with empty memory, on another port, under its old name.
    """
    sites = _chosen(Registry(), name)
    rows = [(site, row) for site in sites for row in site.servers()]
    if server is not None and server not in [row.name for _, row in rows]:
        raise unknown("server", server, dict.fromkeys(row.name for _, row in rows))
    down = [(site, row) for site, row in rows if row.pid is None and server in (None, row.name)]
    for site, row in down:
        site.start(row.name)
        click.echo(f"{site.name}: {row.name} is up again, with empty memory.")
    if not down:
        click.echo("Nothing to start: every server asked for runs.")


@click.command(epilog=exit_codes_mean(_DOWN_CODES))
@click.argument("name", required=False)
@click.option("--docker", is_flag=True, help="Only sites in containers, and containers of dead runs as well.")
def down(name: str | None, *, docker: bool) -> None:
    """End standing sites (all, or NAME), and clean what any earlier run that died left behind.

    Runs that are alive are left alone, and so is everything that is not the lab's. Saying it twice
    does no harm.
    """
    registry = Registry()
    sites = [site for site in _standing(registry, docker=docker) if name in (None, site.name)]
    if name is not None and not sites:
        click.echo(f"No site {name!r} stands.")
    for site in sites:
        ended = ending.end(site.record, registry)
        how = "; it did not answer and was killed" if ended.was_forced else ""
        what = "its containers" if site.is_in_containers else f"{ended.processes} processes"
        click.echo(f"{ended.name}: ended, {what} in {ended.seconds:.1f} s{how}.")
    cleaned: list[object] = [*leftovers.clean(registry)]
    if docker:
        cleaned += _clean_containers(registry)
    for leftover in cleaned:
        click.echo(f"Cleaned what a dead run left: {leftover}.")
    for record in registry.living("run"):
        click.echo(f"The run {record.name!r} (pid {record.driver.pid}) is alive and was left alone.")
    if not sites and not cleaned and name is None:
        nothing = (
            "No site in containers stands, and nothing was left behind."
            if docker
            else f"Nothing stands, and no process was left behind (containers of dead runs: {own_command()} "
            "down --docker)."
        )
        click.echo(nothing)


def _clean_containers(registry: Registry) -> Sequence[object]:
    from lab.cluster.compose import leftovers as containers  # noqa: PLC0415 - only where it is asked for
    from lab.cluster.compose.engine import connect  # noqa: PLC0415 - the SDK, as well

    client = connect()
    try:
        return containers.clean(client, registry)
    finally:
        client.close()


def _standing(registry: Registry, *, docker: bool = False) -> list[Standing]:
    sites = [Standing.of(record) for record in registry.living("site")]
    return [site for site in sites if site.is_in_containers] if docker else sites


def _chosen(registry: Registry, name: str | None, *, docker: bool = False) -> Sequence[Standing]:
    sites = _standing(registry, docker=docker)
    if not sites:
        raise EnvironmentProblem(_NONE_STANDS)
    if name is None:
        return sites
    chosen = [site for site in sites if site.name == name]
    if not chosen:
        raise unknown("site", name, [site.name for site in sites])
    return chosen


def _where(site: Standing, session: str) -> dict[str, Any]:
    about = site.about
    answer: dict[str, Any] = {"site": site.name, "server": None, "is_void": about.sticky == "none"}
    if answer["is_void"]:
        says = (
            f"{site.name}: the question is void here. No server holds session {session}: "
            f"carts live in the store ({about.store}), and every server can answer."
        )
        return {**answer, "says": says}
    found = site.find(session)
    if found is None:
        says = (
            f"{site.name}: no server holds session {session}. The balancer never saw it, "
            "or forgot it because it was idle too long or its server was removed."
        )
        if about.sticky == "cookie":
            says = f"{site.name}: the balancer keeps no list; a cookie at the client names the server."
        return {**answer, "says": says}
    says = (
        f"{site.name}: {found['server']} holds session {session} (idle {found['idle_seconds']:.0f} s). "
        f"Whatever is in its cart dies with {found['server']}."
    )
    return {**answer, "server": found["server"], "says": says}


def _as_json(site: Standing) -> dict[str, Any]:
    if site.description is None:
        return {"name": site.name, "ready": False}
    return {
        "name": site.name,
        "ready": True,
        **asdict(site.description),
        "keeper_pid": site.record.driver.pid,
        "servers": [asdict(row) for row in site.servers()],
    }


site_commands: list[click.Command] = [up, status, where, start, down]
