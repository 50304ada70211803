"""What of a request is hashed: the application's session cookie, a header field, or the client's address."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING, Final

from lb.http1 import finder
from lb.sticky import sessions_of, values_in

if TYPE_CHECKING:
    from lb.request import Fields

ADDRESS: Final = "address"
_HEADER: Final = "header:"


class Keys:
    """``source``: ``cookie`` (the one called ``app_cookie``), ``header:NAME`` or ``address``."""

    def __init__(self, source: str, app_cookie: str) -> None:
        self._app = values_in(app_cookie.encode("ascii"))
        self._by_address = source == ADDRESS
        _, _, name = source.partition(":")
        self._in_block = finder(re.escape(name.encode("ascii"))) if source.startswith(_HEADER) else None

    def of(self, fields: Fields, peer: str) -> bytes | None:
        """The key of these fields; read once, as a client repeats them."""
        if fields.sessions is None:
            fields.sessions = sessions_of(self._app, fields.cookies)
        if self._by_address:
            return one_address(peer)
        if self._in_block is None:
            return fields.sessions[0].encode("ascii") if fields.sessions else None
        if fields.key is None:
            found = self._in_block.search(fields.raw)
            fields.key = found[2].rstrip(b" \t") if found else b""
        return fields.key or None


@lru_cache(maxsize=1024)
def one_address(text: str) -> bytes | None:
    """An address as bytes, an IPv4 one always the same in whichever clothes it came."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).packed
