"""Ports of this machine: is one free, and if not, who has it."""

from __future__ import annotations

import errno
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

import psutil

from lab.cluster.errors import PortTaken
from lab.errors import EnvironmentProblem

if TYPE_CHECKING:
    from collections.abc import Iterator

LOOPBACK = "127.0.0.1"


def require_free(port: int, flag: str) -> None:
    """Refuse a port that somebody listens on. Port 0 is always free; ``flag`` chooses another."""
    problem = _try_to_bind(port)
    if problem == errno.EADDRINUSE:
        raise PortTaken(LOOPBACK, port, owner(port), flag)
    if problem:
        raise EnvironmentProblem(
            f"Port {port} on {LOOPBACK} cannot be used: {errno.errorcode[problem]}. "
            f"Ports below 1024 need the administrator; choose another with {flag}."
        )


def is_free(port: int) -> bool:
    return _try_to_bind(port) == 0


def owner(port: int) -> str | None:
    """Who listens on ``port``, where this user may know it."""
    pid = next((pid for pid, listening in _listeners() if listening == port), None)
    if pid is None:
        return None
    try:
        return f"{psutil.Process(pid).name()} (pid {pid})"
    except psutil.Error:
        return f"pid {pid}"


def _try_to_bind(port: int) -> int:
    with socket.socket() as probe:
        # As servers do: the last words of closed connections do not count as taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as problem:
            return problem.errno or errno.EADDRINUSE
    return 0


def _listeners() -> Iterator[tuple[int | None, int]]:
    """Process and port of all that listen, as far as this user may see: macOS shows only one's own."""
    try:
        for found in psutil.net_connections("tcp"):
            if found.status == psutil.CONN_LISTEN and found.laddr:
                yield found.pid, found.laddr.port
    except psutil.AccessDenied:
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                mine = process.net_connections("tcp")
                listening = (one for one in mine if one.status == psutil.CONN_LISTEN and one.laddr)
                yield from ((process.pid, one.laddr.port) for one in listening)
