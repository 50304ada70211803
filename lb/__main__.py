"""``python -m lb``: flags and environment in, an exit code out."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

import click

from lb.failover import Failover
from lb.flags import with_settings
from lb.program import EXIT_CUT_OFF, EXIT_ENVIRONMENT, Birth, Unusable, serve
from lb.settings import BadSetting, Settings, address_of, names_of, networks_of, servers_of
from lb.shortage import raise_file_limit
from lb.workers import run_workers


@click.command(context_settings={"auto_envvar_prefix": "LB", "show_default": True, "max_content_width": 100})
@click.option("--listen", default="127.0.0.1:8080", help="Where clients come in; port 0 takes a free one.")
@click.option("--admin", default=None, help="Where the admin API listens; off unless given.")
@click.option(
    "--server",
    "servers",
    multiple=True,
    metavar="NAME=HOST:PORT",
    envvar=["LB_SERVER", "LB_SERVERS"],
    help="A server; repeat it.",
)
@click.option(
    "--backup",
    "backups",
    multiple=True,
    metavar="NAME=HOST:PORT",
    envvar=["LB_BACKUP", "LB_BACKUPS"],
    help="A server for when no other takes new sessions; repeat it.",
)
@click.option(
    "--discover",
    multiple=True,
    metavar="NAME=HOST:PORT",
    help="A DNS name, every address of which is a server; repeat it.",
)
@click.option(
    "--trust",
    multiple=True,
    metavar="NETWORK",
    help="Proxies whose X-Forwarded-* is believed, like 10.0.0.0/8; repeat it.",
)
@with_settings
def main(
    *,
    listen: str,
    admin: str | None,
    servers: tuple[str, ...],
    backups: tuple[str, ...],
    trust: tuple[str, ...],
    discover: tuple[str, ...],
    failover: str,
    **others: Any,
) -> None:
    """Balance HTTP/1.1 requests over servers, and tie sessions to them if asked.

    Every flag can be given in the environment too: LB_LISTEN, LB_STICKY, LB_SERVER="a=H:P b=H:P".
    The first line on standard output is JSON and says which ports are open.

    \b
    Exit codes: 0 stopped cleanly, 1 had to cut clients off, 2 bad usage, 4 a port or the log is
    not to be had.
    """  # noqa: D301 - the backspace is click's sign for: do not wrap this paragraph
    try:
        settings = Settings(
            listen=address_of(listen),
            admin=address_of(admin) if admin else None,
            servers=servers_of(servers),
            backups=servers_of(backups),
            trust=networks_of(trust),
            discover=names_of(discover),
            failover=Failover(failover),
            cookie_secret=os.environ.get("LB_COOKIE_SECRET", ""),  # arguments are seen by everybody
            **others,
        )
    except BadSetting as error:
        raise click.UsageError(str(error)) from error
    raise_file_limit()
    try:
        code = run_workers(settings, _run) if settings.workers > 1 else _run(settings)
    except Unusable as error:
        click.echo(f"lb: {error}", err=True)
        code = EXIT_ENVIRONMENT
    sys.exit(code)


def _run(settings: Settings, birth: Birth | None = None) -> int:
    try:
        return 0 if _serve(settings, birth) else EXIT_CUT_OFF
    except Unusable as error:
        click.echo(f"lb: {error}", err=True)
        return EXIT_ENVIRONMENT


def _serve(settings: Settings, birth: Birth | None) -> bool:
    try:
        import uvloop  # noqa: PLC0415 - not needed, only quicker
    except ImportError:
        return asyncio.run(serve(settings, birth))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(serve(settings, birth))


if __name__ == "__main__":
    main(prog_name="python -m lb")
