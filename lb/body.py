"""Bodies of known length, in chunks, or until the connection closes: where each ends.

A reader is fed bytes as they come, in any cut, and gives back the payload in them. When ``done``,
``rest`` holds the bytes that already belong to the next message. Chunk framing is never copied from
one side to the other but made anew from the payload, so ambiguous framing has no way through.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Protocol

from lb.http1 import CHUNKED, UNTIL_CLOSE
from lb.refusals import BadMessage

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_CHUNK_LINE: Final = 256
MAX_TRAILERS: Final = 4 * 1024
LAST_CHUNK: Final = b"0\r\n\r\n"

_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?")
_TRAILER = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*")


class Body(Protocol):
    done: bool
    rest: bytes

    def feed(self, data: bytes) -> bytes: ...


class SizedBody:
    """``Content-Length`` bytes."""

    __slots__ = ("done", "left", "rest")

    def __init__(self, length: int) -> None:
        self.left = length
        self.done = length == 0
        self.rest = b""

    def feed(self, data: bytes) -> bytes:
        size = len(data)
        if size < self.left:
            self.left -= size
            return data
        self.done = True
        if size == self.left:
            self.left = 0
            return data
        payload, self.rest = data[: self.left], data[self.left :]
        self.left = 0
        return payload


class EndlessBody:
    """Everything until the connection closes."""

    __slots__ = ("done", "rest")

    def __init__(self) -> None:
        self.done = False
        self.rest = b""

    def feed(self, data: bytes) -> bytes:
        return data


class ChunkedBody:
    """Chunks (RFC 9112 7.1). Extensions and trailers are read, bounded and dropped."""

    __slots__ = ("_held", "_left", "_step", "_trailers", "done", "rest")

    def __init__(self) -> None:
        self.done = False
        self.rest = b""
        self._held = b""
        self._left = 0
        self._trailers = 0
        self._step: Callable[[bytes, int, list[bytes]], int] = self._read_size

    def feed(self, data: bytes) -> bytes:
        if self._held:
            data = self._held + data
            self._held = b""
        payload: list[bytes] = []
        position = 0
        while not self.done:
            after = self._step(data, position, payload)
            if after < 0:  # the rest of the line has not come yet
                self._held = data[position:]
                return b"".join(payload)
            position = after
        self.rest = data[position:]
        return payload[0] if len(payload) == 1 else b"".join(payload)

    def _read_size(self, data: bytes, position: int, _: list[bytes]) -> int:
        line, after = _line(data, position, MAX_CHUNK_LINE)
        if after < 0:
            return after
        match = _CHUNK_LINE.fullmatch(line)
        if match is None:
            raise BadMessage(400, "a chunk's size is not hexadecimal digits alone (RFC 9112 7.1)")
        self._left = int(match[1], 16)
        self._step = self._read_data if self._left else self._read_trailer
        return after

    def _read_data(self, data: bytes, position: int, payload: list[bytes]) -> int:
        piece = data[position : position + self._left]
        if not piece:
            return -1
        payload.append(piece)
        self._left -= len(piece)
        if not self._left:
            self._step = self._read_end_of_chunk
        return position + len(piece)

    def _read_end_of_chunk(self, data: bytes, position: int, _: list[bytes]) -> int:
        end = data[position : position + 2]
        if not b"\r\n".startswith(end):
            raise BadMessage(400, "a chunk is longer than its size (RFC 9112 7.1)")
        if len(end) < len(b"\r\n"):
            return -1
        self._step = self._read_size
        return position + 2

    def _read_trailer(self, data: bytes, position: int, _: list[bytes]) -> int:
        line, after = _line(data, position, MAX_TRAILERS - self._trailers)
        if after < 0:
            return after
        if not line:
            self.done = True
        elif not _TRAILER.fullmatch(line):
            raise BadMessage(400, "a trailer is not a field line (RFC 9112 7.1.2)")
        self._trailers += len(line)
        return after


def _line(data: bytes, position: int, limit: int) -> tuple[bytes, int]:
    """The line at ``position`` and where the next begins, or -1 while it has no end yet."""
    end = data.find(b"\r\n", position)
    if (len(data) if end < 0 else end) - position > limit:
        raise BadMessage(400, f"a chunk line or the trailers are longer than {limit} bytes")
    if end < 0:
        if b"\n" in data[position:]:
            raise BadMessage(400, "a line in chunk framing does not end in CRLF (RFC 9112 7.1)")
        return b"", -1
    return data[position:end], end + 2


def body_of(length: int) -> Body:
    """The reader for a head's ``length``."""
    if length == CHUNKED:
        return ChunkedBody()
    return EndlessBody() if length == UNTIL_CLOSE else SizedBody(length)


def frame(payload: bytes, *, done: bool) -> bytes:
    """``payload`` as a chunk, and the last chunk behind it when the body is ``done``."""
    framed = b"%x\r\n%b\r\n" % (len(payload), payload) if payload else b""
    return framed + LAST_CHUNK if done else framed
