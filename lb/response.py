"""Heads of responses.

Servers repeat themselves: within one second, thousands of answers share a few heads, since nothing
in them but ``Date`` tells when they were made. So a head that was read is kept for a while, and the
same bytes again cost one look-up. Heads that set cookies are not kept: they are secrets, and
different each time.
"""

from __future__ import annotations

import re
from typing import Final

from lb.http1 import (
    CHUNKED,
    FIELDS,
    MAX_FIELDS,
    PROTECTED,
    UNTIL_CLOSE,
    content_length,
    finder,
    options_of,
    without,
)  # fmt: skip
from lb.refusals import TOO_LARGE, BadMessage

_HEAD = re.compile(rb"HTTP/1\.(\d) ([1-5]\d\d)((?: [\t\x20-\x7e\x80-\xff]*+)?)\r\n(" + FIELDS + rb")")
_FIND = finder(
    rb"content-length|set-cookie|connection|keep-alive|proxy-connection|proxy-authenticate"
    rb"|transfer-encoding|trailer|upgrade"
)
#: Fields of one hop, beside ``Connection`` itself; the framing is made anew.
_HOP: Final = frozenset(
    b"connection keep-alive proxy-connection proxy-authenticate transfer-encoding trailer upgrade".split()
)
SWITCHING_PROTOCOLS: Final = 101
_BODILESS: Final = frozenset({*range(100, 200), 204, 304})
#: The one line that many servers send with every answer, worth removing without a walk over all.
_USUAL_LINE: Final = b"\r\nConnection: keep-alive\r\n"
_SWITCH: Final = frozenset({b"close", b"keep-alive"})


_MOST_KEPT: Final = 1024
_LONGEST_KEPT: Final = 1024
_kept: dict[bytes, ResponseHead] = {}


class ResponseHead:
    """Never changed once it is read: one may stand for many answers.

    ``start`` is the status line and ``block`` the field lines as they go to the client; ``length``
    says how long the body is.
    """

    __slots__ = ("block", "keep_alive", "length", "set_cookies", "start", "status", "upgrade")

    def __init__(self, status: int, reason: bytes, block: bytes, *, keep_alive: bool) -> None:
        self.status = status
        self.start = b"HTTP/1.1 %d%b\r\n" % (status, reason)
        self.block = block
        self.length = UNTIL_CLOSE
        self.keep_alive = keep_alive
        self.set_cookies: tuple[bytes, ...] = ()
        self.upgrade = b""


def parse_response(head: bytes, method: bytes) -> ResponseHead:
    """Read the head of an answer to a ``method`` request."""
    if method == b"HEAD":
        return _read(head, is_bodiless=True)
    kept = _kept.get(head)
    if kept is not None:
        return kept
    response = _read(head, is_bodiless=False)
    if not response.set_cookies and len(head) <= _LONGEST_KEPT:
        if len(_kept) >= _MOST_KEPT:
            _kept.clear()
        _kept[head] = response
    return response


def _read(head: bytes, *, is_bodiless: bool) -> ResponseHead:
    match = _HEAD.fullmatch(head)
    if match is None:
        raise BadMessage(502, "the server's answer is not HTTP/1.1")
    minor, status, reason, block = match.groups()
    if (count := block.count(b"\n")) > MAX_FIELDS:
        detail = f"the head of the answer has {count} fields; at most {MAX_FIELDS} are taken"
        raise BadMessage(502, detail, TOO_LARGE)
    response = ResponseHead(int(status), reason, block, keep_alive=minor != b"0")
    hop: dict[bytes, bytes] = {}
    for field, padded in _FIND.findall(head):
        name = field.lower()
        value = padded.rstrip(b" \t")
        if name == b"content-length":
            if response.length != UNTIL_CLOSE:
                raise BadMessage(502, "the server's answer has two Content-Lengths")
            response.length = content_length(value, 502)
        elif name == b"set-cookie":
            response.set_cookies += (value,)
        else:
            hop[name] = hop[name] + b"," + value if name in hop else value
    if hop:
        _read_hop(response, hop)
    if is_bodiless or response.status in _BODILESS:
        response.length = 0
    elif response.length == UNTIL_CLOSE:
        response.keep_alive = False
    return response


def _read_hop(response: ResponseHead, hop: dict[bytes, bytes]) -> None:
    options = options_of(hop.get(b"connection", b""))
    if options:
        response.keep_alive = b"close" not in options and (response.keep_alive or b"keep-alive" in options)
    if coding := hop.get(b"transfer-encoding"):
        response.length = _coded_length(response.length, coding)
    response.upgrade = hop.get(b"upgrade", b"")
    named = options - _SWITCH - PROTECTED
    if not named and len(hop) == 1 and _USUAL_LINE in response.block:
        response.block = response.block.replace(_USUAL_LINE, b"\r\n", 1)
    else:
        response.block = without(response.block, _HOP | named)


def _coded_length(declared: int, coding: bytes) -> int:
    if declared != UNTIL_CLOSE:
        raise BadMessage(502, "the server's answer has both Content-Length and Transfer-Encoding")
    if coding.lower() != b"chunked":
        raise BadMessage(502, "the server's answer has a transfer coding other than chunked")
    return CHUNKED
