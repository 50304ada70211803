"""Where one can listen and connect: ``127.0.0.1:8080``, or ``unix:/path``."""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import suppress

UNIX = "unix:"


async def connect(place: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if place.startswith(UNIX):
        return await asyncio.open_unix_connection(place.removeprefix(UNIX))
    host, _, port = place.rpartition(":")
    return await asyncio.open_connection(host, int(port))


class Door:
    """A place that can be shut and opened again.

    A port that nobody listens on could be given to somebody else meanwhile, so a second socket keeps
    it: bound, never listening, which is what makes the kernel refuse whoever knocks.
    """

    def __init__(self, wanted: str) -> None:
        """``wanted`` is a ``unix:`` path, or a host for a free port of it."""
        self._keeper: socket.socket | None = None
        if wanted.startswith(UNIX):
            self.place = wanted
        else:
            self._keeper = _bound(wanted, 0)
            self.place = f"{wanted}:{self._keeper.getsockname()[1]}"

    def open(self) -> socket.socket:
        """A listening socket."""
        if self.place.startswith(UNIX):
            path = self.place.removeprefix(UNIX)
            with suppress(FileNotFoundError):
                os.unlink(path)  # noqa: PTH108 - a socket's path, as bind takes it
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            listener.bind(path)
        else:
            host, _, port = self.place.rpartition(":")
            listener = _bound(host, int(port))
        listener.listen(1024)
        listener.settimeout(0)
        return listener

    def close(self) -> None:
        if self._keeper:
            self._keeper.close()


def _bound(host: str, port: int) -> socket.socket:
    # asyncio sends small pieces at once (TCP_NODELAY) only where the protocol is named; else a reply in two
    # pieces waits 40 ms for somebody's delayed ACK.
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    # Both sockets of one door need it; other users' processes cannot join them.
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    found.bind((host, port))
    return found
