"""``python -m lb``: flags and environment in, an exit code out."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import click

from lb.balance import ALGORITHMS
from lb.failover import Failover
from lb.program import PortTaken, serve
from lb.settings import BadSetting, Settings, address_of, servers_of

if TYPE_CHECKING:
    from collections.abc import Callable

EXIT_CUT_OFF = 1
EXIT_USAGE = 2
EXIT_ENVIRONMENT = 4

_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option(
        "--listen", default="127.0.0.1:8080", help="Where clients come in; port 0 takes a free one."
    ),
    click.option("--admin", default=None, help="Where the admin API listens; off unless given."),
    click.option("--server", "servers", multiple=True, metavar="NAME=HOST:PORT", help="A server; repeat it."),
    click.option("--sticky", type=click.Choice(["none", "learn"]), help="What ties a session to a server."),
    click.option("--sticky-cookie", help="The application's session cookie, for learn."),
    click.option(
        "--session-ttl", type=float, help="Seconds that a learned session lives after its last use."
    ),
    click.option("--table-size", type=int, help="Most learned sessions; the oldest goes first."),
    click.option("--balance", type=click.Choice(list(ALGORITHMS)), help="Who takes an untied request."),
    click.option(
        "--failover", type=click.Choice(list(Failover)), help="What a tied request does without its server."
    ),
    click.option("--check-path", help="What a healthy server answers with 2xx or 3xx."),
    click.option("--inter", type=float, help="Seconds between checks."),
    click.option("--fastinter", type=float, help="The same while a server is not settled."),
    click.option("--downinter", type=float, help="The same while it is down."),
    click.option("--rise", type=int, help="Successes in a row that bring a server up."),
    click.option("--fall", type=int, help="Failures in a row that take it down."),
    click.option("--check-timeout", type=float, help="Seconds a check may take."),
    click.option("--retries", type=int, help="Further servers that a failed request may be sent to."),
    click.option(
        "--retry-keyed",
        is_flag=True,
        default=None,
        help="Requests with an Idempotency-Key may be sent twice.",
    ),
    click.option("--connect-timeout", type=float, help="Seconds for a connection to a server."),
    click.option("--response-timeout", type=float, help="Seconds for the head of a server's answer."),
    click.option("--body-timeout", type=float, help="Seconds without a byte of a body."),
    click.option("--head-timeout", type=float, help="Seconds for the whole head of a request."),
    click.option("--keepalive-timeout", type=float, help="Seconds between requests of a connection."),
    click.option(
        "--server-idle-timeout", type=float, help="Seconds that an unused connection to a server is kept."
    ),
    click.option("--hard-stop-after", type=float, help="Seconds that a stop waits for what is in flight."),
    click.option("--lab-headers", is_flag=True, default=None, help="Say in X-Lab-* who answered."),
)


def _with_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.command(context_settings={"auto_envvar_prefix": "LB", "show_default": True, "max_content_width": 100})
@_with_options
def main(*, listen: str, admin: str | None, servers: tuple[str, ...], **others: Any) -> None:
    r"""Balance HTTP/1.1 requests over servers, and tie sessions to them if asked.

    Every flag can be given in the environment too: LB_LISTEN, LB_STICKY, LB_SERVERS="a=H:P b=H:P".
    The first line on standard output is JSON and says which ports are open.

    \b
    Exit codes: 0 stopped cleanly, 1 had to cut clients off, 2 bad usage, 4 a port was taken.
    """
    try:
        settings = Settings(
            listen=address_of(listen),
            admin=address_of(admin) if admin else None,
            servers=servers_of(servers),
            **{name: value for name, value in others.items() if value is not None},
        )
    except BadSetting as error:
        raise click.UsageError(str(error)) from error
    try:
        clean = _run(settings)
    except PortTaken as error:
        click.echo(
            f"lb: cannot listen on port {error.address.port} of {error.address.host}: {error.strerror}.\n"
            f"Something else has it. Take another with --listen or --admin; port 0 takes a free one.",
            err=True,
        )
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
