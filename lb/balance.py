"""Which server takes a request that is tied to none.

One signature for all: ``pick(pool, avoid, key)``. ``avoid`` holds the servers this request was already
sent to in vain, so that a retry meets another one. None means that no server may take it.
``key`` is what ``hash`` hashes of the request; the others do not look at it.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from random import Random

    from lb.places import Places
    from lb.pool import Pool, Server


class Balance(Protocol):
    def pick(self, pool: Pool, avoid: Collection[Server], key: bytes | None = None) -> Server | None: ...


class RoundRobin:
    """Everyone in turn, in proportion to weight.

    Each server has a virtual time of its next turn, which grows by 1/weight when it takes one; the
    earliest is next. A heap keeps a pick cheap with a hundred servers. When the set of open servers
    changes, those who stay keep their turns and newcomers start with the earliest of them: nobody
    is owed the turns it missed while it was away.
    """

    def __init__(self) -> None:
        self._epoch = -1
        self._turns: list[tuple[float, int, Server]] = []

    def pick(self, pool: Pool, avoid: Collection[Server], key: bytes | None = None) -> Server | None:  # noqa: ARG002 - the signature of all
        if self._epoch != pool.epoch:
            self._rebuild(pool)
        turns = self._turns
        if not avoid and turns:
            turn, order, server = turns[0]
            heapq.heapreplace(turns, (turn + 1 / server.pace, order, server))
            return server
        return self._pick_other(avoid)

    def _pick_other(self, avoid: Collection[Server]) -> Server | None:
        others = [entry for entry in self._turns if entry[2] not in avoid]
        if not others:
            return None
        turn, order, server = entry = min(others)
        self._turns.remove(entry)
        self._turns.append((turn + 1 / server.pace, order, server))
        heapq.heapify(self._turns)
        return server

    def _rebuild(self, pool: Pool) -> None:
        known = {server: turn for turn, _, server in self._turns}
        start = min(known.values(), default=0.0)
        self._turns = [(known.get(s, start), order, s) for order, s in enumerate(pool.open)]
        heapq.heapify(self._turns)
        self._epoch = pool.epoch


class LeastConn:
    """The server with the fewest requests in flight for its weight; ties take turns."""

    def __init__(self) -> None:
        self._ties = RoundRobin()

    def pick(self, pool: Pool, avoid: Collection[Server], key: bytes | None = None) -> Server | None:  # noqa: ARG002 - the signature of all
        candidates = [server for server in pool.open if server not in avoid]
        if not candidates:
            return None
        least = min((server.active + 1) / server.pace for server in candidates)
        busier = {server for server in pool.open if (server.active + 1) / server.pace > least}
        return self._ties.pick(pool, busier.union(avoid))


class TwoDraws:
    """Two servers drawn by lot, in proportion to weight; of the two the one with less in flight.

    Never the busiest of all, and with nothing to keep in step: many balancers side by side do not
    herd to the same server, as they would all seeking the least busy one (Mitzenmacher).
    """

    def __init__(self, lots: Random) -> None:
        self._lots = lots

    def pick(self, pool: Pool, avoid: Collection[Server], key: bytes | None = None) -> Server | None:  # noqa: ARG002 - the signature of all
        candidates = [server for server in pool.open if server not in avoid]
        if not candidates:
            return None
        first = self._draw(candidates)
        candidates.remove(first)
        if not candidates:
            return first
        second = self._draw(candidates)
        return min(first, second, key=lambda server: (server.active + 1) / server.pace)

    def _draw(self, servers: list[Server]) -> Server:
        return self._lots.choices(servers, [server.pace for server in servers])[0]


class Hashed:
    """Where the request's key is at home, or next on its way; a request without one takes its turn."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._keyless = RoundRobin()

    def pick(self, pool: Pool, avoid: Collection[Server], key: bytes | None = None) -> Server | None:
        if key is None:
            return self._keyless.pick(pool, avoid)
        _, server = self._places.first(key)
        if server is None or not avoid:
            return server and self._places.with_room(key, server)
        return next((other for other in self._places.open_ones(key) if other not in avoid), None)


HASH: Final = "hash"
ALGORITHMS: dict[str, Callable[[Random, Places], Balance]] = {
    "roundrobin": lambda _lots, _places: RoundRobin(),
    "leastconn": lambda _lots, _places: LeastConn(),
    "random": lambda lots, _: TwoDraws(lots),
    HASH: lambda _, places: Hashed(places),
}
