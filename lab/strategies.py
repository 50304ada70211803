"""The session strategies that the lab can put into an arm: where a session lives, and what that needs. Pure.

The lab knows them by name and by their flags, as any operator does; what each promises, the cart
servers themselves say.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """``place`` says in words where the carts are.

    ``tie`` is what the balancer does by default. ``options`` are words for the command line, each
    with the flags that it gives to a cart server.
    """

    place: str
    tie: str = "none"
    needs_store: bool = False
    has_peers: bool = False
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


#: The one list of them, in the order in which tables show them.
STRATEGIES: Mapping[str, Strategy] = {
    "memory": Strategy(place="carts in server memory", tie="learn"),
    "replicated": Strategy(
        place="carts in memory, with copies",
        tie="learn",
        has_peers=True,
        options={
            "1": ("--replicas", "1"),
            "2": ("--replicas", "2"),
            "1-sync": ("--replicas", "1", "--replication", "sync"),
            "2-sync": ("--replicas", "2", "--replication", "sync"),
            # What becomes of two carts that went apart in a split.
            "2-lww": ("--replicas", "2", "--merge", "lww"),
            "2-union": ("--replicas", "2", "--merge", "union"),
            "2-pn-counter": ("--replicas", "2", "--merge", "pn-counter"),
            "2-or-map": ("--replicas", "2", "--merge", "or-map"),
        },
    ),
    "write_through": Strategy(place="carts in memory and store", tie="learn", needs_store=True),
    "stateless": Strategy(place="carts in a shared store", needs_store=True),
    "hybrid": Strategy(
        place="items in the store, rest local",
        tie="learn",
        needs_store=True,
        # As if what is rebuilt had to be asked for from somebody else.
        options={"slow-rebuild": ("--rebuild-delay", "0.02")},
    ),
    "client_cookie": Strategy(place="carts in the shopper's cookie"),
    "naive_blob": Strategy(place="carts as one blob in a store", needs_store=True),
}
