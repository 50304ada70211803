"""Heads of HTTP/1.1 messages, read strictly (RFC 9112), their bytes kept as they came.

One regular expression states the whole grammar of a head: CRLF line ends only, token names, no
space before a colon, no folding, no control characters. A head that matches is well formed, and C
code has said so in a microsecond; only one that does not match is looked at again, slowly, to tell
the client what is wrong with it (``diagnosis``).

A head is never rebuilt from parsed pieces: its field lines pass on as they stand, in their order
and casing, minus the lines that belong to this hop only (RFC 9110 7.6.1).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lb.diagnosis import diagnose_request
from lb.refusals import BadMessage

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

#: Limits, in bytes; more is refused rather than buffered.
MAX_HEAD: Final = 16 * 1024
MAX_TARGET: Final = 8 * 1024
MAX_FIELDS: Final = 100

#: How long a body is: a number of bytes, or one of these.
CHUNKED: Final = -1
UNTIL_CLOSE: Final = -2

TOKEN: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
FIELDS: Final = rb"(?:" + TOKEN + rb"++:[\t\x20-\x7e\x80-\xff]*+\r\n)*+"

_REQUEST = re.compile(rb"(" + TOKEN + rb"++) ([\x21\x22\x24-\x7e]++) HTTP/1\.(\d)\r\n(" + FIELDS + rb")")
_RESPONSE = re.compile(rb"HTTP/1\.(\d) (\d{3})((?: [\t\x20-\x7e\x80-\xff]*+)?)\r\n(" + FIELDS + rb")")

# The fields that mean something to a balancer, found in one pass over the head.
_REQUEST_FIELDS = re.compile(
    rb"\n(?i:(host|cookie|content-length|transfer-encoding|connection|expect|idempotency-key|upgrade|te|trailer"
    rb"|keep-alive|proxy-connection|proxy-authorization|forwarded|x-forwarded-(?:for|proto|host|port)"
    rb"|content_length|transfer_encoding|http2-settings|via)):[ \t]*([^\r]*)"
)
_RESPONSE_FIELDS = re.compile(
    rb"\n(?i:(content-length|transfer-encoding|connection|set-cookie|keep-alive|proxy-connection|upgrade|trailer"
    rb"|proxy-authenticate)):[ \t]*([^\r]*)"
)

#: Fields of one hop: they go no further. So do the look-alikes that some servers take for framing.
_HOP_REQUEST = frozenset(
    b"connection keep-alive proxy-connection proxy-authorization te trailer upgrade http2-settings "
    b"content_length transfer_encoding".split()
)
_HOP_RESPONSE = frozenset(
    b"connection keep-alive proxy-connection transfer-encoding trailer upgrade proxy-authenticate".split()
)
#: What a client behind no trusted proxy may not claim.
_CLAIMS = frozenset(b"forwarded x-forwarded-for x-forwarded-proto x-forwarded-host x-forwarded-port".split())
#: ``Connection: host`` must not be able to take these away.
_PROTECTED = frozenset(b"host content-length transfer-encoding cookie via set-cookie".split()) | _CLAIMS

_HOST = re.compile(rb"(?:[A-Za-z0-9\-._~!$&'()*+;=%]++|\[[0-9A-Fa-f:.]++\])(?::\d{0,5})?")
_ABSOLUTE = re.compile(rb"[Hh][Tt][Tt][Pp][Ss]?://([^/?#@]*)(.*)")
_DIGITS = re.compile(rb"\d{1,18}")
_CODINGS = re.compile(rb"(?:[\t ]*" + TOKEN + rb"+[\t ]*,?)+")
_SLASH = 0x2F


@dataclass(slots=True)
class RequestHead:
    """A request's head. ``block`` is its field lines as they go to a server, each with its CRLF."""

    method: bytes
    target: bytes
    is_http10: bool
    block: bytes
    host: bytes = b""
    length: int = 0
    keep_alive: bool = True
    expects_continue: bool = False
    has_key: bool = False
    upgrade: bytes = b""
    cookies: tuple[bytes, ...] = ()
    via: bytes = b""


@dataclass(slots=True)
class ResponseHead:
    """A response's head. ``block`` is its field lines as they go to the client."""

    status: int
    reason: bytes
    block: bytes
    length: int
    keep_alive: bool
    set_cookies: tuple[bytes, ...] = ()
    upgrade: bytes = b""


def parse_request(head: bytes, *, trusted: bool = False) -> RequestHead:
    """Read ``head``, which ends with the CRLF of its last line. ``trusted``: believe X-Forwarded-*."""
    match = _REQUEST.fullmatch(head)
    if match is None:
        raise diagnose_request(head)
    method, target, minor, block = match.groups()
    _check_limits(target, block)
    request = RequestHead(method, target, minor == b"0", block)
    fields = _fields(_REQUEST_FIELDS, head)
    _read_host(request, fields.pop(b"host", ()))
    request.cookies = tuple(fields.pop(b"cookie", ()))
    request.has_key = bool(fields.pop(b"idempotency-key", None))
    request.keep_alive = not request.is_http10
    if fields:
        _read_rest(request, fields, trusted=trusted)
    if target[0] != _SLASH or method == b"CONNECT":
        _settle_target(request)
    return request


def parse_response(head: bytes, method: bytes) -> ResponseHead:
    """Read the head of an answer to a ``method`` request."""
    match = _RESPONSE.fullmatch(head)
    if match is None:
        raise BadMessage(502, "the server's answer is not HTTP/1.1")
    minor, digits, reason, block = match.groups()
    status = int(digits)
    if not 100 <= status <= 599:  # noqa: PLR2004 - the classes of RFC 9110 15
        raise BadMessage(502, f"the server answered with status {status}, which does not exist")
    response = ResponseHead(status, reason, block, UNTIL_CLOSE, keep_alive=minor != b"0")
    fields = _fields(_RESPONSE_FIELDS, head)
    response.set_cookies = tuple(fields.pop(b"set-cookie", ()))
    lengths, codings = fields.pop(b"content-length", ()), fields.get(b"transfer-encoding", ())
    if fields:
        _read_response_rest(response, fields)
    response.length = _response_length(status, method, lengths, codings)
    response.keep_alive = response.keep_alive and response.length != UNTIL_CLOSE
    return response


def without(block: bytes, names: Collection[bytes]) -> bytes:
    """``block`` minus the lines of these (lower-case) names."""
    lines = block.split(b"\r\n")
    return b"\r\n".join(line for line in lines if line.partition(b":")[0].lower() not in names)


def _fields(pattern: re.Pattern[bytes], head: bytes) -> dict[bytes, list[bytes]]:
    fields: dict[bytes, list[bytes]] = {}
    for name, value in pattern.findall(head):
        fields.setdefault(name.lower(), []).append(value.rstrip(b" \t"))
    return fields


def _check_limits(target: bytes, block: bytes) -> None:
    if len(target) > MAX_TARGET:
        raise BadMessage(414, f"the target is {len(target)} bytes long; at most {MAX_TARGET} are taken")
    if (count := block.count(b"\n")) > MAX_FIELDS:
        raise BadMessage(431, f"the head has {count} fields; at most {MAX_FIELDS} are taken")


def _read_host(request: RequestHead, hosts: Sequence[bytes]) -> None:
    if len(hosts) == 1 and _HOST.fullmatch(hosts[0]):
        request.host = hosts[0]
    elif hosts or not request.is_http10:
        detail = "exactly one Host is needed" if len(hosts) != 1 else "the Host is not host:port"
        raise BadMessage(400, f"{detail}, got {len(hosts)} (RFC 9112 3.2)")


def _read_rest(request: RequestHead, fields: dict[bytes, list[bytes]], *, trusted: bool) -> None:
    lengths, codings = fields.pop(b"content-length", ()), fields.get(b"transfer-encoding", ())
    if lengths or codings:
        request.length = _request_length(request, lengths, codings)
    options = _options(fields.get(b"connection", ()))
    if options:
        request.keep_alive = b"close" not in options and (not request.is_http10 or b"keep-alive" in options)
    if b"upgrade" in fields and b"upgrade" in options and _may_upgrade(request):
        request.upgrade = b", ".join(fields[b"upgrade"])
    if b"expect" in fields and not request.is_http10:
        request.expects_continue = _read_expect(fields[b"expect"])
    request.via = b", ".join(fields.get(b"via", ()))
    hop = _HOP_REQUEST if trusted else _HOP_REQUEST | _CLAIMS
    drop = (fields.keys() & hop) | (options - _PROTECTED)
    if drop:
        request.block = without(request.block, drop)


def _read_response_rest(response: ResponseHead, fields: dict[bytes, list[bytes]]) -> None:
    options = _options(fields.get(b"connection", ()))
    if options:
        response.keep_alive = b"close" not in options and (response.keep_alive or b"keep-alive" in options)
    response.upgrade = b", ".join(fields.get(b"upgrade", ()))
    drop = (fields.keys() & _HOP_RESPONSE) | (options - _PROTECTED)
    if drop:
        response.block = without(response.block, drop)


def _options(values: Sequence[bytes]) -> set[bytes]:
    return {option.strip(b" \t").lower() for value in values for option in value.split(b",")}


def _request_length(request: RequestHead, lengths: Sequence[bytes], codings: Sequence[bytes]) -> int:
    if not codings:
        return _content_length(lengths, 400)
    if lengths:
        raise BadMessage(400, "Content-Length and Transfer-Encoding together (RFC 9112 6.3)")
    if request.is_http10:
        raise BadMessage(400, "Transfer-Encoding in HTTP/1.0 (RFC 9112 6.1)")
    coding = b",".join(codings).lower()
    if coding == b"chunked":
        return CHUNKED
    if _CODINGS.fullmatch(coding) and coding.count(b"chunked") <= 1 and not coding.startswith(b"chunked"):
        raise BadMessage(501, "the only transfer coding taken is chunked (RFC 9112 6.1)")
    raise BadMessage(400, "a Transfer-Encoding that does not end in one chunked (RFC 9112 6.3)")


def _response_length(status: int, method: bytes, lengths: Sequence[bytes], codings: Sequence[bytes]) -> int:
    if lengths and codings:
        raise BadMessage(502, "the server's answer has both Content-Length and Transfer-Encoding")
    declared = _content_length(lengths, 502) if lengths else UNTIL_CLOSE
    if method == b"HEAD" or status < 200 or status in (204, 304):  # noqa: PLR2004 - RFC 9112 6.3
        return 0
    if not codings:
        return declared
    if b",".join(codings).lower() != b"chunked":
        raise BadMessage(502, "the server's answer has a transfer coding other than chunked")
    return CHUNKED


def _content_length(lengths: Sequence[bytes], status: int) -> int:
    if len(lengths) == 1 and _DIGITS.fullmatch(lengths[0]):
        return int(lengths[0])
    raise BadMessage(status, "Content-Length must be one number of digits only (RFC 9112 6.3)")


def _may_upgrade(request: RequestHead) -> bool:
    return request.method == b"GET" and not request.is_http10 and request.length == 0


def _read_expect(values: Sequence[bytes]) -> bool:
    if [value.lower() for value in values] == [b"100-continue"]:
        return True
    raise BadMessage(417, "the only expectation that can be met is 100-continue (RFC 9110 10.1.1)")


def _settle_target(request: RequestHead) -> None:
    """Bring an absolute target to origin form; refuse what is no target here (RFC 9112 3.2)."""
    if request.method == b"CONNECT":
        raise BadMessage(501, "CONNECT is for forward proxies")
    if request.target == b"*" and request.method == b"OPTIONS":
        return
    absolute = _ABSOLUTE.fullmatch(request.target)
    if absolute is None or not _HOST.fullmatch(absolute[1]):
        raise BadMessage(400, "the target is neither a path nor an http URL")
    request.host, path = absolute[1], absolute[2]
    request.target = path if path.startswith(b"/") else b"/" + path
    request.block = b"Host: " + request.host + b"\r\n" + without(request.block, (b"host",))
