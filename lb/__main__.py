"""``python -m lb``: flags and environment in, an exit code out."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import sys
from typing import TYPE_CHECKING, Any

import click

from lb.balance import ALGORITHMS
from lb.failover import Failover
from lb.hashing import TABLES
from lb.program import Unusable, serve
from lb.settings import COOKIE_VALUES, MODES, BadSetting, Settings, address_of, servers_of

if TYPE_CHECKING:
    from collections.abc import Callable

EXIT_CUT_OFF = 1
EXIT_ENVIRONMENT = 4

_CHOICES = {
    "sticky": MODES,
    "cookie_value": COOKIE_VALUES,
    "hash_type": tuple(TABLES),
    "balance": tuple(ALGORITHMS),
    "failover": tuple(word.value for word in Failover),
}

#: setting: what --help says about it. Type and default are those of Settings.
_HELP = {
    "sticky": "What ties a session to a server.",
    "sticky_cookie": "The application's session cookie.",
    "hash_type": "How hash finds a key's server; mod is the bad one, for the lesson.",
    "hash_key": "What hash hashes: cookie (the application's), address, or header:NAME.",
    "hash_balance_factor": "Percent of its share that a server gets at most; 0: no bound.",
    "session_ttl": "Seconds that a learned session lives after its last use.",
    "table_size": "Most learned sessions; the oldest goes first.",
    "cookie_name": "The balancer's own cookie, for cookie.",
    "cookie_value": "What it says: the server's name, or an HMAC of it with LB_COOKIE_SECRET.",
    "cookie_secure": "Mark it Secure: clients come through HTTPS.",
    "cookie_preserve": "A server may set it too, and then it is right.",
    "max_age": "Seconds that a client keeps it; 0: until it is closed.",
    "maxidle": "Seconds without a request that end it; 0: no limit.",
    "maxlife": "Seconds after its first request that end it; 0: no limit.",
    "balance": "Who takes an untied request.",
    "failover": "What a tied request does without its server.",
    "check_path": "What a healthy server answers with 2xx or 3xx.",
    "inter": "Seconds between checks.",
    "fastinter": "The same while a server is not settled.",
    "downinter": "The same while it is down.",
    "rise": "Successes in a row that bring a server up.",
    "fall": "Failures in a row that take it down.",
    "check_timeout": "Seconds a check may take.",
    "retries": "Further servers that a failed request may be sent to.",
    "retry_keyed": "A request with an Idempotency-Key may be sent twice.",
    "log": "File for one JSON line a request; - for standard error; off unless given.",
    "lab_headers": "Say in X-Lab-* fields who answered.",
    "connect_timeout": "Seconds for a connection to a server.",
    "response_timeout": "Seconds for the head of a server's answer.",
    "body_timeout": "Seconds without a byte of a body.",
    "head_timeout": "Seconds for the whole head of a request.",
    "keepalive_timeout": "Seconds between the requests of a connection.",
    "tunnel_timeout": "Seconds without a byte of a WebSocket, either way.",
    "server_idle_timeout": "Seconds that an unused connection to a server is kept.",
    "hard_stop_after": "Seconds that a stop waits for what is in flight.",
}


def _with_settings(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give ``command`` one flag for each line of ``_HELP``."""
    defaults = {field.name: field.default for field in dataclasses.fields(Settings)}
    for name, text in reversed(_HELP.items()):
        flag, default = "--" + name.replace("_", "-"), defaults[name]
        if name in _CHOICES:
            option = click.option(flag, type=click.Choice(_CHOICES[name]), default=str(default), help=text)
        elif isinstance(default, bool):
            option = click.option(flag, is_flag=True, default=default, help=text)
        else:
            option = click.option(flag, type=type(default), default=default, help=text)
        command = option(command)
    return command


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
@_with_settings
def main(*, listen: str, admin: str | None, servers: tuple[str, ...], failover: str, **others: Any) -> None:
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
            failover=Failover(failover),
            cookie_secret=os.environ.get("LB_COOKIE_SECRET", ""),  # arguments are seen by everybody
            **others,
        )
    except BadSetting as error:
        raise click.UsageError(str(error)) from error
    try:
        clean = _run(settings)
    except Unusable as error:
        click.echo(f"lb: {error}", err=True)
        sys.exit(EXIT_ENVIRONMENT)
    sys.exit(0 if clean else EXIT_CUT_OFF)


def _run(settings: Settings) -> bool:
    try:
        import uvloop  # noqa: PLC0415 - not needed, only quicker
    except ImportError:
        return asyncio.run(serve(settings))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(serve(settings))


if __name__ == "__main__":
    main(prog_name="python -m lb")
