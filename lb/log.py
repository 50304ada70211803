"""The request log: one JSON line a request, off unless asked for.

``state`` is HAProxy's termination state: who ended it, in which phase, what the tie was worth, what
became of it. ``ms`` are its timers: from the request's head until a server had room, if it had to
wait, from there to a connection, from there to the head of the answer, and all of it. Lines are made
and written in batches, off the path of requests. A session stands there by its fingerprint, never by
its cookie.
"""

from __future__ import annotations

import json
import sys
from http import HTTPStatus
from time import monotonic, time
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from io import RawIOBase

    from lb.exchange import Exchange

MOST_UNWRITTEN: Final = 4096

Entry = dict[str, Any]


class Trace:
    """When one request got how far."""

    __slots__ = ("_admitted", "_answered", "_began", "_log", "_sent", "_status")

    def __init__(self, log: RequestLog, began: float) -> None:
        self._log = log
        self._began = began
        self._admitted = 0.0
        self._sent = 0.0
        self._answered = 0.0
        self._status: int | None = None

    def on_admitted(self) -> None:
        """It had to wait for a server, and does no more."""
        self._admitted = monotonic()

    def on_sent(self) -> None:
        self._sent = monotonic()

    def on_answer(self, status: int) -> None:
        self._answered = monotonic()
        self._status = status

    def over(self, exchange: Exchange, end: str, status: int | None = None) -> None:
        """The request ended: ``end`` are the first two letters, ``status`` is of an answer of our own."""
        self._log.add(self._entry(exchange, end, self._status or status))

    def _entry(self, exchange: Exchange, end: str, status: int | None) -> Entry:
        now = monotonic()
        head, route, server = exchange.head, exchange.route, exchange.server
        sessions = head.fields.sessions
        moved = route.home is not None and server is not None and route.home is not server
        return {
            "at": time(),
            "client": exchange.client.peer,
            "method": head.method.decode("ascii"),
            "target": head.target.decode("ascii"),
            "status": status,
            "server": server.name if server else None,
            "tries": len(route.met),
            "session": route.session or (sessions[0] if sessions else None),
            "state": f"{end}{route.came}{route.went}",
            "moved_from": route.home.name if moved and route.home else None,
            "cause": route.left_because or None,
            "ms": {
                "queue": _ms(self._admitted, self._began),
                "connect": _ms(self._sent, self._admitted or self._began),
                "response": _ms(self._answered, self._sent),
                "total": _ms(now, self._began),
            },
        }


def refusal(status: int, detail: str) -> Entry:
    """The entry of bytes that were no request."""
    end = "cR" if status == HTTPStatus.REQUEST_TIMEOUT else "PR"
    return {"at": time(), "method": None, "status": status, "state": f"{end}--", "cause": detail}


def _ms(end: float, beginning: float) -> float | None:
    return round((end - beginning) * 1000, 3) if end and beginning else None


class RequestLog:
    """``file`` must not buffer: what a full disk did not take would be in the way of all that follows."""

    def __init__(self, file: RawIOBase) -> None:
        self._file = file
        self._unwritten: list[Entry] = []
        self.lost = 0

    def add(self, entry: Entry) -> None:
        self._unwritten.append(entry)
        if len(self._unwritten) >= MOST_UNWRITTEN:
            self.flush()

    def flush(self) -> None:
        """Write what has come together. A disk that is full costs lines of the log, never a request."""
        entries, self._unwritten = self._unwritten, []
        if not entries:
            return
        try:
            self._write("".join(json.dumps(entry) + "\n" for entry in entries).encode())
        except OSError as error:
            if not self.lost:
                sys.stderr.write(f"lb: the request log cannot be written: {error}; requests go on\n")
            self.lost += len(entries)

    def close(self) -> None:
        self.flush()
        self._file.close()

    def _write(self, data: bytes) -> None:
        while data:
            data = data[self._file.write(data) or 0 :]
