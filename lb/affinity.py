"""``hash``: a request goes where its key hashes to. Nothing is remembered, here or by the client.

Weaker than a tie: when the servers change, so does the result. A key goes home as soon as its server
is back, a draining server loses its keys at once, for nobody can tell old sessions from new ones, and
a session that gets its cookie with the first answer may well be sent elsewhere with the second
request. A request without a key is balanced like any other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lb.learned import Binding
from lb.route import Came, Route
from lb.sticky import Stateless

if TYPE_CHECKING:
    from lb.failover import Failover
    from lb.keys import Keys
    from lb.places import Places
    from lb.pool import Server
    from lb.request import Fields


class HashSticky(Stateless):
    mode = "hash"

    def __init__(self, keys: Keys, places: Places, failover: Failover) -> None:
        self._keys = keys
        self._places = places
        self._failover = failover

    def find(self, fields: Fields, now: float, peer: str = "") -> Route:
        key = self._keys.of(fields, peer)
        session = fields.sessions[0] if fields.sessions else None
        if key is None:
            return Route(session, came=Came.NONE)
        home, server = self._places.first(key)
        if home is None:
            return Route(session, came=Came.NONE)
        chosen = self._places.with_room(key, server or home) if self._failover.may_leave else home
        route = Route(session, Binding(chosen, now), came=Came.VALID)
        route.key = key
        if chosen is not home:
            route.home = home
            route.left_because = "servers changed" if home.open else home.shown
            if chosen is not server:
                route.left_because = "busy"
            elif not home.open:
                route.came = Came.DOWN
        return route

    def heir(self, route: Route) -> Server | None:
        """The next on the key's own way that can take the request."""
        if route.key is None:
            return None
        return next((server for server in self._places.open_ones(route.key) if server not in route.met), None)
