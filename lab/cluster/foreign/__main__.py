"""``python -m lab.cluster.foreign haproxy|nginx``: start it, speak for it, end with it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from aiohttp import web

from lab.cluster.foreign.admin import Admin
from lab.cluster.foreign.engine import NOWHERE, NotStarted
from lab.cluster.foreign.haproxy import HAProxy
from lab.cluster.foreign.nginx import Nginx
from lab.cluster.loopback import LOOPBACK
from lab.export.front import Backend, Front

if TYPE_CHECKING:
    from lab.cluster.foreign.engine import Engine

ENGINES: dict[str, type[Engine]] = {"haproxy": HAProxy, "nginx": Nginx}
_CANNOT_START = 4
_BACKLOG = 1024


@click.command(hidden=True)
@click.argument("program", type=click.Choice(list(ENGINES)))
@click.option("--binary", required=True)
@click.option("--port", type=int, required=True)
@click.option("--admin-port", type=int, required=True)
@click.option("--server", "servers", multiple=True, required=True)
@click.option("--tied/--untied", required=True)
@click.option("--folder", type=click.Path(path_type=Path), required=True, help="For sockets.")
@click.option("--config", type=click.Path(path_type=Path), required=True, help="Where to write it.")
def main(
    *, program: str, binary: str, port: int, admin_port: int, servers: tuple[str, ...], tied: bool,
    folder: Path, config: Path,
) -> None:  # fmt: skip
    folder.mkdir(mode=0o700)
    backends = tuple(Backend(name, *NOWHERE) for name in servers)
    front = Front(is_tied=tied, servers=backends, host=LOOPBACK, lab_headers=True, folder=str(folder))
    engine = ENGINES[program](binary, front, config)
    try:
        sys.exit(asyncio.run(_speak_for(engine, port, admin_port)))
    except NotStarted as problem:
        print(f"{problem}; its configuration: {config}", file=sys.stderr)  # noqa: T201 - its log
        sys.exit(_CANNOT_START)


async def _speak_for(engine: Engine, port: int, admin_port: int) -> int:
    """Until we are told to end, or it has ended; then its exit code is ours."""
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    with socket.create_server((LOOPBACK, port), backlog=_BACKLOG) as listening:
        host, front_port = listening.getsockname()
        process = await engine.start(listening)
        admin = Admin(engine, f"{host}:{front_port}")
        runner = web.AppRunner(admin.app(), access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, LOOPBACK, admin_port).start()
        _say(host, front_port, runner.addresses[0][1], process.pid)
        tasks = [asyncio.create_task(step) for step in (told.wait(), process.wait(), admin.watch())]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        code = await process.wait()
        await engine.close()
        await runner.cleanup()
    if told.is_set():
        return 0
    for task in done:
        task.result()  # what broke, with its traceback, into the log
    return code or 1


def _say(host: str, port: int, admin_port: int, pid: int) -> None:
    line = {"event": "listening", "program": "lb", "host": host, "port": port}
    line |= {"admin_host": LOOPBACK, "admin_port": admin_port, "pid": pid}
    os.write(sys.stdout.fileno(), json.dumps(line).encode() + b"\n")


if __name__ == "__main__":
    main()
