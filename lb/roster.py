"""Which addresses a DNS name stands for, over time, and what they are called as servers.

A server found this way is called after its address (``cart-10.0.1.7``), never after its place in an
answer: DNS shuffles its answers, and a tie must not follow the shuffle. HAProxy's ``server-template``
with ``resolvers`` numbers its slots instead, which is why a reload there may swap them.
A name that cannot be looked up keeps its last answer for ``hold`` seconds (HAProxy's ``hold``): a
resolver that stumbles says nothing about the servers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lb.pool import Address

#: Of one name; an answer with more is cut, in the order of its addresses.
MOST_ADDRESSES: Final = 256
_TO_NAME: Final = str.maketrans({":": "-", "%": "_"})


def name_of(prefix: str, address: Address) -> str:
    """``cart-10.0.1.7``; the colons of an IPv6 address become dashes."""
    return f"{prefix}-{address.host.translate(_TO_NAME)}"


@dataclass(frozen=True, slots=True)
class News:
    """What differs from the answer before, in the order of the addresses."""

    appeared: tuple[Address, ...] = ()
    vanished: tuple[Address, ...] = ()


class Roster:
    """The addresses of one name. ``hold`` and every ``now`` are seconds."""

    def __init__(self, hold: float, now: float) -> None:
        self._hold = hold
        self._answered = now
        self._known: frozenset[Address] = frozenset()

    def answer(self, addresses: Iterable[Address], now: float) -> News:
        self._answered = now
        return self._become(frozenset(sorted(addresses, key=_order)[:MOST_ADDRESSES]))

    def no_answer(self, now: float) -> News:
        return self._become(frozenset()) if now - self._answered > self._hold else News()

    def _become(self, addresses: frozenset[Address]) -> News:
        before, self._known = self._known, addresses
        return News(
            tuple(sorted(addresses - before, key=_order)), tuple(sorted(before - addresses, key=_order))
        )


def _order(address: Address) -> tuple[str, int]:
    return address.host, address.port
