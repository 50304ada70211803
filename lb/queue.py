"""Who waits for a server: HAProxy's ``maxconn`` of a server, with its two kinds of queue.

A request that is tied waits for its own server, one that is tied to nobody for whichever has room first.
Whoever came first is served first, whatever it waits for. Nobody overtakes: while somebody waits for a
server, it has no room for newcomers.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from lb.balance import Balance
    from lb.counters import Counters
    from lb.pool import Pool, Server


class Waiter(Protocol):
    def would_take(self, server: Server) -> bool:
        """Whether ``server``, which has room, is one for it; it is tied to none."""
        ...

    def admit(self, server: Server) -> None:
        """It has left the queue, and ``server`` has room."""
        ...

    def choose_again(self) -> None:
        """It has left the queue, and what it waited for will not come."""
        ...


class Queue:
    """``maxconn``: most requests that are on a server at once; ``maxqueue``: that wait for one server,
    0 for no limit.
    """

    def __init__(self, maxconn: int, maxqueue: int, pool: Pool, counters: Counters) -> None:
        self._maxconn = maxconn
        self._maxqueue = maxqueue
        self._pool = pool
        self._counters = counters
        self._tickets = count()
        self._tied: dict[Server, dict[Waiter, int]] = {}
        self._untied: dict[Waiter, int] = {}

    def has_room(self, server: Server) -> bool:
        """Whether a newcomer may go to ``server`` at once."""
        return server.active < self._maxconn and not self._untied and server not in self._tied

    def is_full(self, server: Server) -> bool:
        """Whether as many wait for ``server`` as may."""
        return 0 < self._maxqueue <= len(self._tied.get(server, ()))

    def join(self, waiter: Waiter, server: Server | None) -> None:
        """Wait for ``server``, or for any."""
        if server is None:
            self._untied[waiter] = next(self._tickets)
        else:
            self._tied.setdefault(server, {})[waiter] = next(self._tickets)
        self._count(server)

    def leave(self, waiter: Waiter, server: Server | None) -> None:
        waiting = self._untied if server is None else self._tied[server]
        del waiting[waiter]
        if server is not None and not waiting:
            del self._tied[server]
        self._count(server)

    def serve(self, server: Server) -> None:
        """``server`` may have room: let those in who were first."""
        while server.active < self._maxconn and server.available(tied=True):
            first = min(self._firsts(server), default=None, key=lambda found: found[0])
            if first is None:
                return
            _, waiter, waits_for = first
            self.leave(waiter, waits_for)
            waiter.admit(server)

    def look_round(self) -> None:
        """To be called some times a second: servers may have come, or gone while somebody waited."""
        for server in tuple(self._tied):
            if server.available(tied=True):
                self.serve(server)
            else:
                self._dissolve(self._tied[server], server)
        for server in self._pool.open if self._untied else ():
            self.serve(server)
        if not self._pool.open:
            self._dissolve(self._untied, None)

    def _dissolve(self, waiting: dict[Waiter, int], server: Server | None) -> None:
        for waiter in tuple(waiting):
            self.leave(waiter, server)
            waiter.choose_again()

    def _firsts(self, server: Server) -> Iterator[tuple[int, Waiter, Server | None]]:
        for waiter, ticket in self._tied.get(server, {}).items():
            yield ticket, waiter, server
            break
        if server.open:
            for waiter, ticket in self._untied.items():
                if waiter.would_take(server):
                    yield ticket, waiter, None
                    break

    def _count(self, server: Server | None) -> None:
        if server is None:
            counters: Counters = self._counters
            counters.qcur = len(self._untied)
            counters.qmax = max(counters.qmax, counters.qcur)
        else:
            server.counters.qcur = len(self._tied.get(server, ()))
            server.counters.qmax = max(server.counters.qmax, server.counters.qcur)


class WithRoom:
    """A balance that passes by servers without room while there are others."""

    def __init__(self, balance: Balance, queue: Queue) -> None:
        self._balance = balance
        self._queue = queue

    def pick(self, pool: Pool, avoid: Collection[Server], key: bytes | None = None) -> Server | None:
        full = [server for server in pool.open if not self._queue.has_room(server)]
        if not full:
            return self._balance.pick(pool, avoid, key)
        return self._balance.pick(pool, {*avoid, *full}, key) or self._balance.pick(pool, avoid, key)
