"""A store of ours in the hands of faults: killed, stopped, frozen, filled, its log cut. Undone as well."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from lab.cluster.site import BalancedSite
from lab.errors import EnvironmentProblem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.cluster.family import Family
    from lab.cluster.store import Store

# A store's client takes 0.2 s to import, and arms without a store do not need it.
# ruff: noqa: PLC0415


class BreakableStore(BalancedSite):
    """What a site of processes can do to its store. ``_running`` names the servers that should be up."""

    _family: Family
    _store: Store | None = None

    @property
    def _running(self) -> Sequence[str]:
        raise NotImplementedError

    async def kill_store(self) -> None:
        from lab.cluster import store

        await store.child_of(self._its_store()).kill()

    async def stop_store(self) -> None:
        from lab.cluster import store

        child = store.child_of(self._its_store())
        child.is_end_expected = True
        child.signal(signal.SIGTERM)
        await child.wait()

    async def start_store(self) -> None:
        """Unless it runs."""
        from lab.cluster import store

        known = self._its_store()
        if not store.child_of(known).is_running:
            self._store = await store.start_again(self._family, known)
        await self._until_up(self._running)

    async def freeze_store(self) -> None:
        from lab.cluster import store

        store.child_of(self._its_store()).signal(signal.SIGSTOP)

    async def thaw_store(self) -> None:
        from lab.cluster import store

        store.child_of(self._its_store()).signal(signal.SIGCONT)
        await self._until_up(self._running)

    async def fill_store(self, share: float, policy: str) -> None:
        await self._its_store().limit(share, policy)

    async def free_store(self) -> None:
        await self._its_store().unlimit()
        await self._until_up(self._running)

    async def store_log_size(self) -> int:
        return self._its_store().log_file().stat().st_size

    async def cut_power(self, log_size: int) -> None:
        await self.kill_store()
        with self._its_store().log_file().open("r+b") as log:
            log.truncate(log_size)

    def _its_store(self) -> Store:
        if self._store is None:
            raise EnvironmentProblem(f"The {self.arm.name} arm has no store that could be broken.")
        return self._store
