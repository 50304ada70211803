"""The command: flags and their environment names, in; an exit code, out."""

from __future__ import annotations

import errno
import logging
import os
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from services.cart import config as settings
from services.cart import lean

if TYPE_CHECKING:
    from types import FrameType

    from services.cart.server import CartServer

CANNOT_LISTEN = 4
_WHY = {
    errno.EADDRINUSE: "The port is taken",
    errno.EACCES: "No right to listen on the port",
    errno.EADDRNOTAVAIL: "This machine has no such address",
}
_NEXT = "Name another --listen HOST:PORT; port 0 takes a free one and the first line of output names it."
_DEFAULTS = settings.Config()
_FLAGS = {"listen_port": "--listen", "server_id": "--id", "secret": "CART_SECRET or --secret-file"}


class _OneLine(logging.Formatter):
    """A traceback too is one line, so that a log can be read by line."""

    def format(self, record: logging.LogRecord) -> str:
        return super().format(record).replace("\n", " | ")


def _range(name: str) -> str:
    return f"{settings.allowed(name)}; default {getattr(_DEFAULTS, name)}"


@click.command(
    context_settings={"auto_envvar_prefix": "CART", "show_default": False, "max_content_width": 100},
    epilog="Exit codes: 0 stopped as asked, 1 crashed, 2 bad usage, 4 cannot listen on the address.",
)
@click.option("--listen", metavar="HOST:PORT", help="Default 127.0.0.1:0; port 0 takes a free one.")
@click.option("--id", "server_id", envvar="CART_ID", metavar="NAME", help=f"Default {_DEFAULTS.server_id}.")
@click.option("--strategy", metavar="|".join(settings.STRATEGIES), help="Where carts live; default memory.")
@click.option("--store-url", metavar="URL", help="redis://... or unix://...; where carts live in one.")
@click.option(
    "--store-password-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="For a store whose URL shall not hold its password.",
)
@click.option("--store-prefix", metavar="TEXT", help="Starts every key, so that sites can share a store.")
@click.option(
    "--store-timeout", type=float, help=f"Seconds a store call may take, {_range('store_timeout')}."
)
@click.option("--store-connections", type=int, help=f"At most, {_range('store_connections')}.")
@click.option(
    "--secret-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Signs cookies, the same on all servers of a site; or the environment's CART_SECRET. Further "
    "lines (or CART_OLD_SECRETS) are older ones, still understood.",
)
@click.option("--replicas", type=int, help=f"Servers with a copy of a cart, {_range('replicas')}.")
@click.option(
    "--replication",
    metavar="|".join(settings.REPLICATIONS),
    help="Whether an answer waits for the copies; default async.",
)
@click.option(
    "--merge", metavar="|".join(settings.MERGES), help="Of copies that went apart in a split; default lww."
)
@click.option("--peer-listen", metavar="HOST:PORT", help="Where other servers knock; default 127.0.0.1:0.")
@click.option("--peer-timeout", type=float, help=f"Seconds until one is gone, {_range('peer_timeout')}.")
@click.option(
    "--replication-queue", type=int, help=f"Changes without a copy yet, {_range('replication_queue')}."
)
@click.option("--repair-rate", type=float, help=f"Copies made again a second, {_range('repair_rate')}.")
@click.option(
    "--critical-deadline", type=float, help=f"Seconds for the cart in hybrid, {_range('critical_deadline')}."
)
@click.option("--rebuild-limit", type=int, help=f"Sessions rebuilt at a time, {_range('rebuild_limit')}.")
@click.option("--rebuild-delay", type=float, help=f"Seconds that a rebuild takes, {_range('rebuild_delay')}.")
@click.option("--cookie-max", type=int, help=f"Characters of a carried cart, {_range('cookie_max')}.")
@click.option(
    "--rollback", metavar="|".join(settings.ROLLBACKS), help="An older carried cart; refusing needs a store."
)
@click.option("--chaos/--no-chaos", default=None, help="Allow POST /crash; default no.")
@click.option(
    "--crash-delay", type=float, help=f"Seconds from POST /crash to the crash, {_range('crash_delay')}."
)
@click.option("--session-ttl", type=float, help=f"Seconds an untouched cart lives, {_range('session_ttl')}.")
@click.option("--session-max", type=float, help=f"Seconds any cart lives, {_range('session_max')}.")
@click.option("--op-window", type=float, help=f"Seconds a key is remembered, {_range('op_window')}.")
@click.option("--drain", type=float, help=f"Seconds of answering on after SIGTERM, {_range('drain')}.")
@click.option("--max-sessions", type=int, help=f"Carts held in memory, {_range('max_sessions')}.")
@click.pass_context
def main(
    context: click.Context, /, secret_file: Path | None, store_password_file: Path | None, **raw: Any
) -> None:
    """One cart server of the lab's shop. Every flag is an environment name too: CART_LISTEN, ..."""
    # Until the server takes signals over, a stop is as clean as there is little to stop.
    signal.signal(signal.SIGTERM, _stop_at_once)
    try:
        secrets = {**_secrets(secret_file), "store_password": _line_in(store_password_file)}
        config = settings.build(raw | secrets)
        sock = _listen(config)
        _start_logging(config)
        server = _load(config)
    except settings.BadSetting as problem:
        flag = _FLAGS.get(problem.name, f"--{problem.name.replace('_', '-')}")
        raise click.UsageError(f"{flag}: {problem}", context) from None
    server.run(sockets=[sock])


def _load(config: settings.Config) -> CartServer:
    with lean.loading():
        from services.cart.server import CartServer  # noqa: PLC0415 - slow to load; not needed to refuse

        return CartServer(config)


def _stop_at_once(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


def _secrets(path: Path | None) -> dict[str, Any]:
    """Never from argv, which everybody on the machine can read.

    A file holds one secret a line, the one that signs first.
    """
    if path:
        lines = path.read_text(encoding="utf-8").splitlines()
        secret, *old = [line.strip() for line in lines if line.strip()] or [""]
    else:
        secret = os.environ.get("CART_SECRET", "")
        old = os.environ.get("CART_OLD_SECRETS", "").split()
    return {"secret": secret or None, "old_secrets": tuple(old)}


def _line_in(path: Path | None) -> str | None:
    return path.read_text(encoding="utf-8").strip() if path else None


def _listen(config: settings.Config) -> socket.socket:
    """Bound, not yet listening: a port that is taken is told before anything slow is loaded."""
    family = socket.AF_INET6 if ":" in config.listen_host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((config.listen_host, config.listen_port))
    except OSError as problem:
        sock.close()
        address = f"{config.listen_host}:{config.listen_port}"
        click.echo(f"{_WHY.get(problem.errno or 0, problem.strerror)}: {address}. {_NEXT}", err=True)
        raise SystemExit(CANNOT_LISTEN) from None
    return sock


def _start_logging(config: settings.Config) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OneLine(f"%(asctime)s %(levelname)s {config.server_id} %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    if config.secret == settings.LOOPBACK_SECRET:
        logging.getLogger(__name__).warning(
            "no CART_SECRET: cookies are signed with a key that everybody knows, good enough on loopback"
        )
