"""Answers that the balancer makes itself, when no server's answer can be passed on.

Each says what happened in JSON for people and in ``Proxy-Status`` (RFC 9209) for programs.
"""

from __future__ import annotations

import json
from email.utils import formatdate
from http import HTTPStatus
from typing import Final

#: RFC 9209's word for a request that is itself at fault.
REQUEST_ERROR: Final = "http_request_error"
LOOP: Final = "proxy_loop_detected"
#: And for a server's answer whose head is larger than is taken in.
TOO_LARGE: Final = "http_response_header_section_size"
RETRY_AFTER_SECONDS: Final = 1


class BadMessage(Exception):
    """Bytes that are not HTTP as it should be; ``status`` is what the client is to be told."""

    def __init__(self, status: int, detail: str, error: str = REQUEST_ERROR) -> None:
        super().__init__(detail)
        self.error = error
        self.status = status
        self.detail = detail


class Unanswered(Exception):
    """A request that no server answered. ``error`` is RFC 9209's word for why."""

    def __init__(self, status: int, error: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.error = error
        self.detail = detail


def render(status: int, error: str, detail: str, *, extra: bytes = b"", has_body: bool = True) -> bytes:
    """The whole answer. ``extra`` is further field lines, each with its CRLF."""
    body = json.dumps({"error": error, "detail": detail}).encode() + b"\n"
    retry = b"Retry-After: %d\r\n" % RETRY_AFTER_SECONDS if status == HTTPStatus.SERVICE_UNAVAILABLE else b""
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
        f"Date: {formatdate(usegmt=True)}\r\n"
        f"Content-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n"
        f"Cache-Control: no-store\r\n"
        f'Proxy-Status: lb; error={error}; details="{_quotable(detail)}"\r\n'
    ).encode("latin-1", "replace")
    return head + retry + extra + b"\r\n" + (body if has_body else b"")


def _quotable(text: str) -> str:
    return "".join(c if " " <= c <= "~" and c not in '"\\' else "?" for c in text)
