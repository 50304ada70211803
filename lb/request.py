"""Heads of requests.

A client that keeps its connection repeats itself: from request to request often nothing but the
request line changes, or not even that. So a head is read in two parts: a request line may be known
from anybody's request, and the part after the target is read again only when its bytes differ from
those of the connection's last request, and only in the lines that do where these decide little
(``variation``).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from lb.diagnosis import diagnose_request
from lb.http1 import (
    CHUNKED,
    FIELDS,
    MAX_FIELDS,
    MAX_TARGET,
    PROTECTED,
    TOKEN,
    content_length,
    finder,
    options_of,
    without,
)  # fmt: skip
from lb.refusals import BadMessage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lb.learned import Binding

    Vary = Callable[["Fields", bytes], "Fields | None"]

_START = re.compile(rb"(" + TOKEN + rb"++) ([\x21\x22\x24-\x7e]++) ")
_VERSION: Final = b" HTTP/"
_REST = re.compile(rb"HTTP/1\.\d\r\n(" + FIELDS + rb")")
FIND = finder(
    rb"host|cookie|content-length|transfer-encoding|connection|expect|idempotency-key|upgrade|te|trailer"
    rb"|keep-alive|proxy-connection|proxy-authorization|forwarded|x-forwarded-(?:for|proto|host|port)"
    rb"|content_length|transfer_encoding|http2-settings|via"
)

#: Fields of one hop: they go no further. So do the look-alikes that some servers take for framing.
_HOP: Final = frozenset(
    b"connection keep-alive proxy-connection proxy-authorization te trailer upgrade http2-settings "
    b"content_length transfer_encoding".split()
)
#: What only a trusted proxy may claim.
_CLAIMS: Final = frozenset(
    b"forwarded x-forwarded-for x-forwarded-proto x-forwarded-host x-forwarded-port".split()
)
#: Of these, those that are written anew from what the proxy said.
_REWRITTEN: Final = frozenset((b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host"))
_NO_CLAIMS: Final[dict[bytes, bytes]] = {}
_HOST = re.compile(rb"(?:[A-Za-z0-9\-._~!$&'()*+;=%]++|\[[0-9A-Fa-f:.]++\])(?::\d{0,5})?")
_ABSOLUTE = re.compile(rb"[Hh][Tt][Tt][Pp][Ss]?://([^/?#]*)(.*)")
_CODINGS = re.compile(rb"(?:[\t ]*" + TOKEN + rb"+[\t ]*,?)+")
#: The one protocol that is switched to; h2c would pass requests by every rule there is here.
_WEBSOCKET: Final = b"websocket"
_SLASH: Final = ord("/")


class Fields:
    """What stands after the target, read: ``raw`` as it came, ``block`` as its lines go on."""

    __slots__ = (
        "block", "claims", "cookies", "expects_continue", "has_key", "host", "is_http10", "keep_alive", "key",
        "length", "lines", "marks", "onward", "parts", "raw", "sessions", "tail", "tie", "upgrade", "via",
    )  # fmt: skip

    def __init__(self, raw: bytes, block: bytes) -> None:
        self.raw = raw
        self.block = block
        self.is_http10 = raw.startswith(b"HTTP/1.0")
        self.keep_alive = not self.is_http10
        self.host = b""
        self.length = 0
        self.cookies: list[bytes] = []
        self.has_key = False
        self.expects_continue = False
        self.upgrade = b""
        self.via = b""
        #: What a trusted proxy says of the client, by lower-case name.
        self.claims: dict[bytes, bytes] = _NO_CLAIMS
        #: Filled in by those who derive something from the fields, so that they do it only once.
        self.onward = self.tail = b""
        self.lines: list[bytes] | None = None
        self.parts: list[bytes] | None = None
        self.sessions: tuple[str, ...] | None = None
        self.key: bytes | None = None
        self.marks: tuple[bytes, ...] | None = None
        self.tie: tuple[int, Binding] | None = None


class RequestHead:
    """Never changed once it is prepared: one may stand for many requests of a connection."""

    __slots__ = ("fields", "may_repeat", "message", "method", "size", "target", "whole")

    def __init__(self, method: bytes, target: bytes, fields: Fields) -> None:
        self.method = method
        self.target = target
        self.fields = fields
        #: Filled in by the connection: the head as it came, its empty line included, and how long it
        #: is; the same as it goes on; whether the request may be sent twice.
        self.whole = b""
        self.size = 0
        self.message = b""
        self.may_repeat = False


def parse_request(
    head: bytes, last: Fields | None = None, *, trusted: bool = False, vary: Vary | None = None
) -> RequestHead:
    """Read ``head``, which ends with the CRLF of its last line; ``last`` is of the request before.

    ``trusted``: it came from a proxy whose word about its client is taken. ``vary`` is asked first for
    fields that differ from the last ones.
    """
    version = head.find(_VERSION) + 1
    start = _start(head[:version])
    if start is None:
        raise diagnose_request(head)
    method, target = start
    raw = head[version:]
    if target[0] != _SLASH or method == b"CONNECT":
        target, fields = _settle_target(method, target, _read_fields(head, raw, trusted=trusted))
        return RequestHead(method, target, fields)
    if len(target) > MAX_TARGET:
        raise BadMessage(414, f"the target is {len(target)} bytes long; at most {MAX_TARGET} are taken")
    if last is not None and last.raw == raw:
        return RequestHead(method, target, last)
    varied = vary(last, raw) if vary is not None and last is not None else None
    return RequestHead(method, target, varied or _read_fields(head, raw, trusted=trusted))


@lru_cache(maxsize=1024)
def _start(line: bytes) -> tuple[bytes, bytes] | None:
    """Method and target in ``line``, which ends before the version; None when it is no such thing."""
    match = _START.fullmatch(line)
    return match and (match[1], match[2])


def _read_fields(head: bytes, raw: bytes, *, trusted: bool = False) -> Fields:
    match = _REST.fullmatch(raw)
    if match is None:
        raise diagnose_request(head)
    fields = Fields(raw, match[1])
    if (count := fields.block.count(b"\n")) > MAX_FIELDS:
        raise BadMessage(431, f"the head has {count} fields; at most {MAX_FIELDS} are taken")
    hosts: list[bytes] = []
    others: dict[bytes, list[bytes]] = {}
    for name, padded in FIND.findall(raw):
        value = padded.rstrip(b" \t")
        match name.lower():
            case b"host":
                hosts.append(value)
            case b"cookie":
                fields.cookies.append(value)
            case b"idempotency-key":
                fields.has_key = True
            case other:
                others.setdefault(other, []).append(value)
    fields.host = _host(hosts, fields)
    if others:
        _read_others(fields, others, trusted=trusted)
    return fields


def _host(hosts: Sequence[bytes], fields: Fields) -> bytes:
    if len(hosts) == 1 and _HOST.fullmatch(hosts[0]):
        return hosts[0]
    if not hosts and fields.is_http10:
        return b""
    if len(hosts) == 1:
        raise BadMessage(400, "the Host is not host:port (RFC 9112 3.2)")
    raise BadMessage(400, f"exactly one Host is needed, got {len(hosts)} (RFC 9112 3.2)")


def _read_others(fields: Fields, others: dict[bytes, list[bytes]], *, trusted: bool) -> None:
    lengths, codings = others.pop(b"content-length", ()), others.get(b"transfer-encoding", ())
    if lengths or codings:
        fields.length = _length(fields, lengths, codings)
    options = options_of(b",".join(others.get(b"connection", ())))
    if options:
        fields.keep_alive = b"close" not in options and (not fields.is_http10 or b"keep-alive" in options)
    if b"upgrade" in others and b"upgrade" in options and not fields.is_http10 and fields.length == 0:
        wanted = b", ".join(others[b"upgrade"])
        fields.upgrade = wanted if wanted.lower() == _WEBSOCKET else b""
    if b"expect" in others and not fields.is_http10:
        fields.expects_continue = _expects_continue(others[b"expect"])
    fields.via = b", ".join(others.get(b"via", ()))
    if trusted:
        fields.claims = {name: b", ".join(values) for name, values in others.items() if name in _REWRITTEN}
    drop = (others.keys() & (_HOP | (_REWRITTEN if trusted else _CLAIMS))) | (options - PROTECTED)
    if drop:
        fields.block = without(fields.block, drop)


def _length(fields: Fields, lengths: Sequence[bytes], codings: Sequence[bytes]) -> int:
    if not codings:
        return content_length(b",".join(lengths), 400)
    if lengths:
        raise BadMessage(400, "Content-Length and Transfer-Encoding together (RFC 9112 6.3)")
    if fields.is_http10:
        raise BadMessage(400, "Transfer-Encoding in HTTP/1.0 (RFC 9112 6.1)")
    coding = b",".join(codings).lower()
    if coding == b"chunked":
        return CHUNKED
    if _CODINGS.fullmatch(coding) and coding.count(b"chunked") <= 1 and not coding.startswith(b"chunked"):
        raise BadMessage(501, "the only transfer coding taken is chunked (RFC 9112 6.1)")
    raise BadMessage(400, "a Transfer-Encoding that does not end in one chunked (RFC 9112 6.3)")


def _expects_continue(values: Sequence[bytes]) -> bool:
    if [value.lower() for value in values] == [b"100-continue"]:
        return True
    raise BadMessage(417, "the only expectation that can be met is 100-continue (RFC 9110 10.1.1)")


def _settle_target(method: bytes, target: bytes, fields: Fields) -> tuple[bytes, Fields]:
    """Bring an absolute target to origin form; refuse what is no target here (RFC 9112 3.2)."""
    if method == b"CONNECT":
        raise BadMessage(501, "CONNECT is for forward proxies")
    if target == b"*" and method == b"OPTIONS":
        return target, fields
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None or not _HOST.fullmatch(absolute[1]):
        raise BadMessage(400, "the target is neither a path nor an http URL")
    host, path = absolute.groups()
    lines = b"Host: " + host + b"\r\n" + without(fields.block, (b"host",))
    version = b"HTTP/1.0\r\n" if fields.is_http10 else b"HTTP/1.1\r\n"
    # Its lines were cleaned of this hop's fields before, and with them of what they said.
    hosted = _read_fields(b"", version + lines, trusted=True)
    hosted.raw = b""  # nobody sent these lines
    hosted.claims = fields.claims
    hosted.length, hosted.keep_alive, hosted.upgrade = fields.length, fields.keep_alive, fields.upgrade
    return path if path.startswith(b"/") else b"/" + path, hosted
