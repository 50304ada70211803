"""``hash``: a request goes where its key hashes to. Nothing is remembered, here or by the client.

Weaker than a tie: when the servers change, so does the result. A key goes home as soon as its server
is back, a draining server loses its keys at once, for nobody can tell old sessions from new ones, and
a session that gets its cookie with the first answer may well be sent elsewhere with the second
request. A request without a key is balanced like any other.

With bounded load no server gets more than ``factor`` times its share of what is in flight; what is too
much for one goes to the next on the key's own way, and the other keys stay where they are.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from itertools import chain
from math import ceil
from typing import TYPE_CHECKING, Final

from lb.hashing import TABLES, Mod
from lb.http1 import finder
from lb.learned import Binding
from lb.route import Came, Route
from lb.sticky import Stateless, sessions_of, values_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lb.failover import Failover
    from lb.hashing import Table
    from lb.pool import Pool, Server
    from lb.request import Fields

_MOST_CACHED: Final = 65_536
ADDRESS: Final = "address"
_HEADER: Final = "header:"


class HashSticky(Stateless):
    """``source``: ``cookie:NAME``, ``header:NAME`` or ``address``; ``factor`` in percent, 0 for no bound."""

    mode = "hash"

    def __init__(
        self, kind: str, source: str, factor: int, pool: Pool, failover: Failover, *, app_cookie: str
    ) -> None:
        self._make = TABLES[kind]
        self._renumbers = self._make is Mod
        self._factor = factor
        self._pool = pool
        self._failover = failover
        self._app = values_in(app_cookie.encode("ascii"))
        self._by_address = source == ADDRESS
        _, _, name = source.partition(":")
        self._in_block = finder(re.escape(name.encode("ascii"))) if source.startswith(_HEADER) else None
        self._epoch = -1
        self._members: list[tuple[str, int, bool]] = []
        self._all: Table = Mod(())
        self._reserve: Table = Mod(())
        self._first = lru_cache(maxsize=_MOST_CACHED)(self._compute_first)

    def find(self, fields: Fields, now: float, peer: str = "") -> Route:
        key = self._key(fields, peer)
        session = fields.sessions[0] if fields.sessions else None
        if key is None:
            return Route(session, came=Came.NONE)
        if self._epoch != self._pool.epoch:
            self._rebuild()
        home, server = self._first(key)
        if home is None:
            return Route(session, came=Came.NONE)
        chosen = self._choose(key, home, server or home)
        route = Route(session, Binding(chosen, now), came=Came.VALID)
        route.key = key
        if chosen is not home:
            route.home = home
            route.left_because = "servers changed" if home.available(tied=False) else home.shown
            if chosen is not server:
                route.left_because = "busy"
            elif not home.available(tied=False):
                route.came = Came.DOWN
        return route

    def heir(self, route: Route) -> Server | None:
        """The next on the key's own way that can take the request."""
        if route.key is None:
            return None
        return next((server for server in self._open_ones(route.key) if server not in route.met), None)

    def _choose(self, key: bytes, home: Server, server: Server) -> Server:
        if not self._failover.may_leave:
            return home
        if self._factor and self._is_full(server):
            return next((other for other in self._open_ones(key) if not self._is_full(other)), server)
        return server

    def _is_full(self, server: Server) -> bool:
        """Whether one more request would be over ``factor`` times its share, in proportion to weight."""
        servers = self._pool.open
        in_flight = 1 + sum(other.active for other in servers)
        weights = sum(other.weight for other in servers)
        most = ceil(self._factor * in_flight * server.weight / (100 * max(1, weights)))
        return server.active + 1 > most

    def _key(self, fields: Fields, peer: str) -> bytes | None:
        """The key of these fields; read once, as a client repeats them."""
        if fields.sessions is None:
            fields.sessions = sessions_of(self._app, fields.cookies)
            if self._in_block is not None:
                fields.marks = tuple(value.rstrip(b" \t") for _, value in self._in_block.findall(fields.raw))
            else:
                fields.marks = tuple(session.encode("ascii") for session in fields.sessions)
        if self._by_address:
            return one_address(peer)
        return fields.marks[0] if fields.marks else None

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
        """Where the key is at home, and who is to take it now."""
        return next(self._all.walk(key), None), next(self._open_ones(key), None)

    def _open_ones(self, key: bytes) -> Iterator[Server]:
        if self._renumbers:
            return self._make(self._pool.open).walk(key)
        walk = chain(self._all.walk(key), self._reserve.walk(key))
        return (server for server in walk if server.open)


@lru_cache(maxsize=1024)
def one_address(text: str) -> bytes | None:
    """An address as bytes, an IPv4 one always the same in whichever clothes it came."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).packed
