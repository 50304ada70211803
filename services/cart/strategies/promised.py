"""What ``replicated`` promises, which depends on who waits for the copies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.cart.strategies.promises import Promises

if TYPE_CHECKING:
    from services.cart.config import Config


def promised(config: Config) -> Promises:
    is_sync = config.replication == "sync"
    others = "another" if config.replicas == 1 else f"{config.replicas} others"
    return Promises(
        where=f"in the memory of one server, with a copy on {others}",
        any_server=False,
        survives_server_crash=is_sync,
        bounded_loss=0 if is_sync else config.replication_queue,
        survives_store_crash=True,
        survives_store_loss=True,
        reads_without_store=True,
        writes_without_store=True,
        concurrent_adds=True,
        keyed_retry_once=True,
        replays_first_answer=True,
        exact_checkout=True,
        never_stale=is_sync,
    )
