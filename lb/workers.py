"""Several processes on one port: the kernel deals connections out among them (SO_REUSEPORT).

Each is a whole balancer with its own checks, turns and counters; nothing is shared, which is why a tie
must not need anything shared: a cookie and a hash mean the same to all of them. The parent only
starts them, passes signals on and waits. Like HAProxy's master it ends all when one ends unasked.
Workers hold the reading end of a pipe of which the parent has the writing end: when it dies, by
whatever signal, they see the end and stop.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import traceback
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lb.program import EXIT_CUT_OFF, EXIT_ENVIRONMENT, Birth, PortTaken

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from lb.pool import Address
    from lb.settings import Settings

    Run = Callable[[Settings, Birth], int]


def run_workers(settings: Settings, run: Run) -> int:
    """The exit code: 0 only if every worker stopped cleanly, and not before it was told to."""
    with _reserve(settings.listen) as reserved:
        listen = replace(settings.listen, port=reserved.getsockname()[1])
        crew = _Crew(run)
        for number in range(settings.workers):
            crew.hire(replace(settings, listen=listen, admin=_door(settings.admin, number)))
        crew.announce(settings)
        return crew.wait()


def _reserve(address: Address) -> socket.socket:
    """Hold the port without listening on it, so that port 0 is one port for all."""
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
        family, kind, protocol, _, at = found[0]
        held = socket.socket(family, kind, protocol)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind(at)
    except OSError as error:
        raise PortTaken(address, error) from error
    return held


def _door(admin: Address | None, number: int) -> Address | None:
    """An admin port for each: the ones after the first, or a free one where that is asked for."""
    return replace(admin, port=admin.port + number) if admin is not None and admin.port else admin


class _Crew:
    def __init__(self, run: Run) -> None:
        self._run = run
        self._pids: set[int] = set()
        self._said: list[dict[str, Any]] = []
        self._told = False
        self._lifeline, self._keep = os.pipe()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def hire(self, settings: Settings) -> None:
        """Start one and wait until it listens; if it cannot, nobody is to."""
        if self._told:
            return
        heard, said = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(heard)
            self._work(settings, said)
        os.close(said)
        self._pids.add(pid)
        with os.fdopen(heard) as lines:
            line = lines.readline()
        if line:
            self._said.append(json.loads(line))
        else:
            self._stop(signal.SIGTERM)

    def announce(self, settings: Settings) -> None:
        if len(self._said) == settings.workers:
            workers = [{"pid": line["pid"], "admin_port": line["admin_port"]} for line in self._said]
            line = self._said[0] | {"pid": os.getpid(), "workers": workers}
            sys.stdout.write(json.dumps(line) + "\n")
            sys.stdout.flush()

    def wait(self) -> int:
        codes = []
        while self._pids:
            pid, status = os.wait()
            self._pids.discard(pid)
            code = os.waitstatus_to_exitcode(status)
            codes.append(code)
            if not self._told:
                sys.stderr.write(f"lb: worker {pid} ended unasked with {code}; stopping the others\n")
                codes.append(EXIT_CUT_OFF)
                self._stop(signal.SIGTERM)
        if EXIT_ENVIRONMENT in codes:
            return EXIT_ENVIRONMENT
        return EXIT_CUT_OFF if any(codes) else 0

    def _work(self, settings: Settings, said: int) -> None:
        """In the child; never returns."""
        code = EXIT_CUT_OFF
        try:
            os.setpgid(0, 0)  # a terminal's Ctrl-C is for the parent, which passes it on once
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
            os.close(self._keep)
            code = self._run(settings, Birth(self._lifeline, said))
        except BaseException:  # noqa: BLE001 - whatever it is, the child must not go on as its parent
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        self._stop(number)

    def _stop(self, number: int) -> None:
        self._told = True
        for pid in self._pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
