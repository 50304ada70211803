"""Why a request head is not HTTP/1.1: only asked when the one regular expression has said no."""

from __future__ import annotations

import re

from lb.refusals import BadMessage

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_REQUEST_LINE = re.compile(rb"(" + _TOKEN + rb") (\S+) (HTTP/\d\.\d)")
_FIELD = re.compile(_TOKEN + rb":[\t\x20-\x7e\x80-\xff]*")
_SPACED_NAME = re.compile(_TOKEN + rb"[ \t]+:.*", re.DOTALL)


def diagnose_request(head: bytes) -> BadMessage:
    if re.search(rb"(?<!\r)\n|\r(?!\n)", head):
        return BadMessage(400, "a line does not end in CRLF (RFC 9112 2.2)")
    lines = head.split(b"\r\n")
    return _of_request_line(lines[0]) or _of_fields(lines[1:]) or BadMessage(400, "not an HTTP/1.1 request")


def _of_request_line(line: bytes) -> BadMessage | None:
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        return BadMessage(400, "the request line is not: method, space, target, space, HTTP/1.1 (RFC 9112 3)")
    if not match[3].startswith(b"HTTP/1."):
        return BadMessage(505, f"{match[3].decode()} is not spoken here; HTTP/1.1 is")
    if not re.fullmatch(rb"[\x21-\x7e]+", match[2]):
        return BadMessage(400, "the target has bytes that are not visible ASCII; percent-encode them")
    if b"#" in match[2]:
        return BadMessage(400, "the target has a fragment, which is never sent (RFC 9110 7.1)")
    return None


def _of_fields(lines: list[bytes]) -> BadMessage | None:
    for number, line in enumerate(lines, 1):
        if not line or _FIELD.fullmatch(line):
            continue
        if line[:1] in b" \t":
            return BadMessage(400, f"field line {number} begins with white space (RFC 9112 5.2)")
        if b":" not in line:
            return BadMessage(400, f"field line {number} has no colon")
        if _SPACED_NAME.fullmatch(line):
            return BadMessage(400, f"field line {number} has white space before its colon (RFC 9112 5.1)")
        return BadMessage(400, f"field line {number} has a byte that names or values may not have")
    return None


def diagnose_beginning(data: bytes, limit: int) -> None:
    """Refuse a head that has not ended yet when no further byte can make it good."""
    if len(data) > limit:
        first = data.split(b"\r\n", 1)[0]
        status = 414 if len(first) > limit // 2 else 431
        raise BadMessage(status, f"the request's head is over {limit} bytes")
    line, ended, fields = data.partition(b"\r\n")
    if re.search(rb"(?<!\r)\n|\r(?!\n)(?!\Z)", data):
        raise BadMessage(400, "a line does not end in CRLF (RFC 9112 2.2)")
    if ended and (error := _of_request_line(line) or _of_fields(fields.split(b"\r\n")[:-1])):
        raise error
    if not ended and not re.match(
        rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]{0,64}(?: [\x21-\x7e]*(?: [HTP/\d.\r]*)?)?\Z", line
    ):
        raise BadMessage(400, "this is not the beginning of an HTTP/1.1 request")
