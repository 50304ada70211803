"""A request's head as it goes on to a server: its own lines, and behind them those that are added."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lb.trust import HOST

if TYPE_CHECKING:
    from lb.request import Fields

VERSION: Final = b" HTTP/1.1\r\n"


def tail(fields: Fields, forwarded: bytes) -> bytes:
    """What is added, the empty line included; ``forwarded`` are the lines about the client."""
    switch = b"Connection: Upgrade\r\nUpgrade: %b\r\n" % fields.upgrade if fields.upgrade else b""
    # HTTP/1.0 may come without a Host, but goes on as 1.1, which always has one (RFC 9112 3.2).
    named = fields.claims.get(HOST, fields.host)
    host = b"X-Forwarded-Host: %b\r\n" % named if fields.host else b"Host: \r\n"
    return b"%b%b%b\r\n" % (forwarded, switch, host)


def onward(block: bytes, added: bytes) -> bytes:
    """All that goes on after the target."""
    return b"%b%b%b" % (VERSION, block, added)
