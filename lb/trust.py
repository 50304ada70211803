"""Whose word about the client is taken: proxies in front of this one, named by their networks.

``X-Forwarded-For`` grows to the right, so it is read from there: the client is the right-most address
that no trusted proxy has. What stands left of it anybody can have written.
"""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from ipaddress import IPv4Network, IPv6Network

FOR: Final = b"x-forwarded-for"
PROTO: Final = b"x-forwarded-proto"
HOST: Final = b"x-forwarded-host"
_SCHEMES: Final = (b"http", b"https")


class Trust:
    def __init__(self, networks: Sequence[IPv4Network | IPv6Network]) -> None:
        self._networks = networks

    def holds(self, address: str) -> bool:
        """Whether ``address`` is a trusted proxy; what is no address is none."""
        if not self._networks:
            return False
        try:
            found = ip_address(address.partition("%")[0])
        except ValueError:
            return False
        plain = (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found
        return any(plain in network for network in self._networks)

    def client(self, peer: str, claims: Mapping[bytes, bytes]) -> str:
        """Who asks, as far as it can be believed: ``peer`` is trusted, ``claims`` are its fields."""
        hops = [hop.strip() for hop in claims.get(FOR, b"").decode("latin-1").split(",")]
        client = peer
        for hop in reversed([hop for hop in hops if hop]):
            if not self.holds(client):
                break
            client = hop
        return client


def scheme(claims: Mapping[bytes, bytes]) -> bytes:
    """``https`` or ``http``: what the client itself spoke."""
    claimed = claims.get(PROTO, b"").lower()
    return claimed if claimed in _SCHEMES else b"http"
