"""Where keys are at home, and who has room for them: what a tie by hash and a balance by hash share.

With bounded load (Mirrokni, Thorup and Zadimoghaddam, arXiv 1608.01350) no server gets more than
``factor`` times its share of what is in flight; what is too much for one goes to the next on the key's
own way, and the other keys stay where they are.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import chain
from math import ceil
from typing import TYPE_CHECKING, Final

from lb.hashing import TABLES, Mod

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lb.hashing import Table
    from lb.pool import Pool, Server

_MOST_CACHED: Final = 65_536


class Places:
    """``kind`` is of ``TABLES``, ``factor`` in percent, 0 for no bound."""

    def __init__(self, kind: str, factor: int, pool: Pool) -> None:
        self._make = TABLES[kind]
        self._renumbers = self._make is Mod
        self._factor = factor
        self._pool = pool
        self._epoch = -1
        self._members: list[tuple[str, int, bool]] = []
        self._all: Table = Mod(())
        self._reserve: Table = Mod(())
        self._first = lru_cache(maxsize=_MOST_CACHED)(self._compute_first)

    def first(self, key: bytes) -> tuple[Server | None, Server | None]:
        """Where ``key`` is at home, and who is to take it now."""
        if self._epoch != self._pool.epoch:
            self._rebuild()
        return self._first(key)

    def with_room(self, key: bytes, server: Server) -> Server:
        """``server``, or the next on the key's way that has room if it has none."""
        if self._factor and self._is_full(server):
            return next((other for other in self.open_ones(key) if not self._is_full(other)), server)
        return server

    def open_ones(self, key: bytes) -> Iterator[Server]:
        """Those that take new sessions, in the key's own order."""
        if self._epoch != self._pool.epoch:
            self._rebuild()
        if self._renumbers:
            return self._make(self._pool.open).walk(key)
        walk = chain(self._all.walk(key), self._reserve.walk(key))
        return (server for server in walk if server.open)

    def _is_full(self, server: Server) -> bool:
        """Whether one more request would be over ``factor`` times its share, in proportion to weight."""
        servers = self._pool.open
        in_flight = 1 + sum(other.active for other in servers)
        weights = sum(other.weight for other in servers)
        most = ceil(self._factor * in_flight * server.weight / (100 * max(1, weights)))
        return server.active + 1 > most

    def _rebuild(self) -> None:
        """A server's state matters to ``mod`` alone; the others change only with who there is."""
        members = sorted((server.name, server.weight, server.backup) for server in self._pool)
        if members != self._members:
            self._members = members
            self._all = self._make(server for server in self._pool if not server.backup)
            self._reserve = self._make(server for server in self._pool if server.backup)
        self._first.cache_clear()
        self._epoch = self._pool.epoch

    def _compute_first(self, key: bytes) -> tuple[Server | None, Server | None]:
        return next(self._all.walk(key), None), next(self.open_ones(key), None)
