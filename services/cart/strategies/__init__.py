"""Where a session's cart lives. One file a strategy, all behind one Protocol.

A strategy is imported only when a server uses it: one that keeps carts in memory does not pay
for the store's client.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.cart.config import Config
    from services.cart.strategies.protocol import Strategy

#: Module and class of each of ``config.STRATEGIES``.
_CLASSES = {
    "memory": "Memory",
    "replicated": "Replicated",
    "write_through": "WriteThrough",
    "stateless": "Stateless",
    "hybrid": "Hybrid",
    "client_cookie": "ClientCookie",
    "naive_blob": "NaiveBlob",
}


def build(config: Config, prices: Mapping[str, int]) -> Strategy:
    """The strategy that ``config`` names."""
    module = import_module(f"{__name__}.{config.strategy}")
    strategy: Strategy = getattr(module, _CLASSES[config.strategy])(config, prices)
    return strategy
