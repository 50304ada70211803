"""The running program: ports opened, servers watched, signals heeded."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import time
from dataclasses import dataclass
from io import FileIO
from random import Random
from typing import TYPE_CHECKING

from lb.balancer import Balancer
from lb.checks import Checks
from lb.discovery import Discovery
from lb.events import Events
from lb.health import worst_case_detection
from lb.judging import JudgingBalancer, limits_of
from lb.log import RequestLog
from lb.operations import Operations
from lb.own_name import until_known
from lb.pool import Address
from lb.wiring import routing_of

if TYPE_CHECKING:
    from aiohttp import web

    from lb.settings import Settings

BACKLOG = 1024


EXIT_CUT_OFF = 1
EXIT_ENVIRONMENT = 4


@dataclass(frozen=True, slots=True)
class Birth:
    """Of one of several: a pipe that ends with its parent, and one on which to say that it listens."""

    lifeline: int
    ready: int


class Unusable(Exception):
    """Something that the settings name cannot be used; the message says what else would do."""


class PortTaken(Unusable):
    """``address`` could not be listened on."""

    def __init__(self, address: Address, cause: OSError) -> None:
        # A look-up's numbers are not the system's.
        number = None if isinstance(cause, socket.gaierror) else cause.errno
        reason = os.strerror(number) if number else cause.strerror or str(cause)
        super().__init__(
            f"cannot listen on port {address.port} of {address.host}: {reason}. "
            "Take another with --listen or --admin; port 0 takes a free one."
        )


async def serve(settings: Settings, birth: Birth | None = None) -> bool:
    """Run until SIGTERM or SIGINT; whether everything in flight was finished."""
    told, insisted = _heed_signals()
    if birth is not None:
        _end_with_parent(birth, told, insisted)
    log = RequestLog(_open_log(settings.log)) if settings.log else None
    dice = Random()  # noqa: S311 - no secret hangs on it
    routing = routing_of(settings, time.time, dice)
    kind = JudgingBalancer if limits_of(settings).is_on else Balancer
    balancer = kind(settings, routing, Events(time.time), log)
    checks = Checks(balancer, dice)
    operations = Operations(balancer, checks)
    runner = None
    searches: list[Discovery] = []
    try:
        front = await _listen(balancer, settings.listen, shared=birth is not None)
        runner, admin_at = await _open_admin(balancer, operations, settings.admin)
        operations.begin()
        searches = [Discovery(name, at, balancer, operations) for name, at in settings.discover.items()]
        _announce(balancer.listens_on, admin_at, settings, birth)
        await told.wait()
        front.close()
        return await _finish(balancer, insisted)
    finally:
        for search in searches:
            search.stop()
        checks.stop()
        balancer.close()
        if runner is not None:
            await runner.cleanup()


def _open_log(name: str) -> FileIO:
    """A log that is there already is continued; ``-`` is standard error."""
    try:
        if name == "-":
            return FileIO(sys.stderr.fileno(), "w", closefd=False)
        return FileIO(name, "a")
    except OSError as error:
        raise Unusable(
            f"cannot write the request log {name}: {error.strerror}. "
            "Name another file with --log, or - for standard error."
        ) from error


async def _listen(balancer: Balancer, address: Address, *, shared: bool) -> asyncio.Server:
    loop = asyncio.get_running_loop()
    try:
        await until_known(address)
        server = await loop.create_server(
            balancer.new_client, address.host, address.port, backlog=BACKLOG, reuse_port=shared or None
        )
    except OSError as error:
        raise PortTaken(address, error) from error
    balancer.listens_on = Address(address.host, server.sockets[0].getsockname()[1])
    return server


async def _open_admin(
    balancer: Balancer, operations: Operations, address: Address | None
) -> tuple[web.AppRunner | None, Address | None]:
    if address is None:
        return None, None
    # Half a second and some megabytes of imports that a balancer without the door never pays.
    from aiohttp import web  # noqa: PLC0415

    from lb.admin import create_admin  # noqa: PLC0415

    runner = web.AppRunner(create_admin(balancer, operations), access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        await until_known(address)
        await web.TCPSite(runner, address.host, address.port).start()
    except OSError as error:
        await runner.cleanup()
        raise PortTaken(address, error) from error
    return runner, Address(address.host, runner.addresses[0][1])


def _announce(front: Address, admin: Address | None, settings: Settings, birth: Birth | None) -> None:
    """``detection_seconds``: the longest that checks alone need to notice a server that froze."""
    detection = worst_case_detection(
        settings.inter, settings.fastinter, settings.fall, settings.check_timeout
    )
    _log(f"checks alone find a frozen server within {detection:g} s; live traffic finds a dead one at once")
    line = {
        "event": "listening",
        "program": "lb",
        "host": front.host,
        "port": front.port,
        "admin_host": admin.host if admin else None,
        "admin_port": admin.port if admin else None,
        "pid": os.getpid(),
        "detection_seconds": detection,
    }
    text = json.dumps(line) + "\n"
    if birth is None:
        sys.stdout.write(text)
        sys.stdout.flush()
    else:
        with FileIO(birth.ready, "w") as ready:
            ready.write(text.encode())


def _heed_signals() -> tuple[asyncio.Event, asyncio.Event]:
    """From now on the first signal sets the first event and the next the second. Before anything
    says that the program runs: who reads that may end it at once.
    """
    loop = asyncio.get_running_loop()
    first, second = asyncio.Event(), asyncio.Event()

    def on_signal() -> None:
        (second if first.is_set() else first).set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    return first, second


def _end_with_parent(birth: Birth, first: asyncio.Event, second: asyncio.Event) -> None:
    """Nobody is left to take the exit code, or to wait for it."""
    loop = asyncio.get_running_loop()

    def on_end() -> None:
        loop.remove_reader(birth.lifeline)
        _log("the parent is gone")
        first.set()
        second.set()

    loop.add_reader(birth.lifeline, on_end)


async def _finish(balancer: Balancer, force: asyncio.Event) -> bool:
    _log(f"stopping: {len(balancer.clients)} connections to finish; a second signal ends them at once")
    draining = asyncio.ensure_future(balancer.drain())
    forced = asyncio.ensure_future(force.wait())
    await asyncio.wait((draining, forced), return_when=asyncio.FIRST_COMPLETED)
    clean = draining.done() and draining.result()
    for task in (draining, forced):
        task.cancel()
    _log(
        "stopped: everything in flight was finished" if clean else f"stopped: cut {len(balancer.clients)} off"
    )
    return clean


def _log(text: str) -> None:
    sys.stderr.write(f"lb: {text}\n")
