"""Where a session's cart lives. One file a strategy, all behind one Protocol.

A strategy is imported only when a server uses it: one that keeps carts in memory does not pay
for the store's client.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.cart.config import Config
    from services.cart.strategies.protocol import Strategy


def build(config: Config, prices: Mapping[str, int]) -> Strategy:
    """The strategy that ``config`` names, one of ``config.STRATEGIES``."""
    if config.strategy == "memory":
        from services.cart.strategies.memory import Memory  # noqa: PLC0415 - only what is used is loaded

        return Memory(config, prices)
    if config.strategy == "client_cookie":
        from services.cart.strategies.client_cookie import ClientCookie  # noqa: PLC0415 - as above

        return ClientCookie(config, prices)
    if config.strategy == "write_through":
        from services.cart.strategies.write_through import WriteThrough  # noqa: PLC0415 - as above

        return WriteThrough(config, prices)
    if config.strategy == "hybrid":
        from services.cart.strategies.hybrid import Hybrid  # noqa: PLC0415 - as above

        return Hybrid(config, prices)
    if config.strategy == "naive_blob":
        from services.cart.strategies.naive_blob import NaiveBlob  # noqa: PLC0415 - as above

        return NaiveBlob(config, prices)
    from services.cart.strategies.stateless import Stateless  # noqa: PLC0415 - as above

    return Stateless(config, prices)
