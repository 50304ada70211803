"""Which server a request goes to, try after try.

Order of decision: the tie, then failover when the tied server cannot take it, then balance.
"""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING

from lb.refusals import Unanswered
from lb.trust import scheme

if TYPE_CHECKING:
    from lb.balance import Balance
    from lb.failover import Failover
    from lb.keys import Keys
    from lb.learned import Binding
    from lb.pool import Pool, Server
    from lb.request import Fields
    from lb.sticky import Sticky


class Routing:
    """How requests are routed, the same for all of them.

    ``find`` reads the tie of a request; with ``keys`` it reads the key too that the balance hashes, and with
    ``trusts`` what a trusted proxy says.
    """

    __slots__ = ("_keys", "balance", "failover", "find", "pool", "sticky")

    def __init__(
        self,
        pool: Pool,
        sticky: Sticky,
        balance: Balance,
        failover: Failover,
        keys: Keys | None = None,
        *,
        trusts: bool = False,
    ) -> None:
        self._keys = keys
        self.find = self._find_more if trusts or keys is not None else sticky.find
        self.pool = pool
        self.sticky = sticky
        self.balance = balance
        self.failover = failover

    def _find_more(self, fields: Fields, now: float, peer: str = "") -> Route:
        route = self.sticky.find(fields, now, peer)
        if self._keys is not None:
            route.key = self._keys.of(fields, peer)
        route.is_https = scheme(fields.claims) == b"https"
        return route


class Came(StrEnum):
    """What the tie of a request was worth: the third letter of HAProxy's termination state."""

    UNREAD = "-"
    NONE = "N"
    INVALID = "I"
    DOWN = "D"
    VALID = "V"
    EXPIRED = "E"
    OLD = "O"


class Went(StrEnum):
    """What the answer did to the tie: the fourth letter."""

    UNREAD = "-"
    NONE = "N"
    INSERTED = "I"
    UPDATED = "U"
    PASSED = "P"
    DELETED = "D"


#: An enum's member costs a lookup each time it is named; these are named for every request.
_UNREAD, _DOWN, _VALID = Came.UNREAD, Came.DOWN, Came.VALID
_UNSAID, _AS_IT_WAS = Went.UNREAD, Went.NONE


@lru_cache(maxsize=1024)
def _told_first(server: str, sticky: str) -> bytes:
    """What is told most of all: ``server`` was the first to be asked."""
    return f"X-Lab-Server: {server}\r\nX-Lab-Tries: 1\r\n{sticky}".encode()


class Route:
    """One request's way.

    ``session`` and ``binding`` are its tie. The binding is not a copy: when another request of the
    session moves it meanwhile, this one follows. ``home`` is where the session lived when the
    request came, ``met`` are the servers tried so far, ``left_because`` says in one word why it
    did not get its answer at home. ``came`` and ``went`` tell what the cookie was worth; the dates
    are those in it, 0 for none; ``key`` is what is hashed of the request; ``is_https``: a trusted proxy says
    that its client speaks HTTPS.
    """

    __slots__ = (
        "binding", "came", "first_seen", "home", "is_https", "key", "last_seen", "left_because", "met",
        "session", "went",
    )  # fmt: skip

    def __init__(
        self, session: str | None = None, binding: Binding | None = None, came: Came = _UNREAD
    ) -> None:
        self.session = session
        self.came = came
        self.went = _UNSAID if came is _UNREAD else _AS_IT_WAS
        self.first_seen = self.last_seen = 0
        self.key: bytes | None = None
        self.is_https = False
        self.binding = binding
        self.home = binding.server if binding is not None else None
        self.met: tuple[Server, ...] = ()
        self.left_because = ""

    @property
    def bound(self) -> Server | None:
        """The server that the session lives on now."""
        return self.binding.server if self.binding is not None else None

    def next(self, routing: Routing) -> Server:
        """The next server to try; Unanswered when there is none."""
        bound = self.binding.server if self.binding is not None else None
        if bound is None:
            server = routing.balance.pick(routing.pool, self.met, self.key)
        elif bound.available(tied=True) and bound not in self.met:
            server = bound
        else:
            server = self._elsewhere(bound, routing)
        server = server or routing.pool.stand_in(self.met)
        if server is None:
            raise self._nobody_left()
        self.met = (*self.met, server)
        return server

    def told(self, server: Server | None) -> bytes:
        """The same in header fields for a learner: who answered, how many were tried, whom it left."""
        if len(self.met) == 1 and server is not None:
            if self.came is _VALID and self.went is _AS_IT_WAS and server is self.home:
                return _told_first(server.name, "X-Lab-Sticky: VN\r\n")
            if self.came is _UNREAD and self.home is None:
                return _told_first(server.name, "")
        fields = b"X-Lab-Tries: %d\r\n" % len(self.met)
        if self.came is not _UNREAD:
            fields += f"X-Lab-Sticky: {self.came}{self.went}\r\n".encode("ascii")
        if server is None:
            return fields
        if self.home is not None and self.home is not server:
            fields += b"X-Lab-Moved-From: " + self.home.name.encode() + b"\r\n"
        return b"X-Lab-Server: " + server.name.encode() + b"\r\n" + fields

    def _elsewhere(self, bound: Server, routing: Routing) -> Server | None:
        self.left_because = self.left_because or bound.shown
        self.came = _DOWN
        if not routing.failover.may_leave:
            detail = f"the session lives on {bound.name}, which is {bound.shown}, and failover is strict"
            raise Unanswered(503, "destination_unavailable", detail)
        # Requests of one session that fail over at the same time must not part ways.
        heir = routing.sticky.heir(self)
        if heir is None or heir in self.met or not heir.available(tied=True):
            heir = routing.balance.pick(routing.pool, self.met, self.key) or routing.pool.stand_in(self.met)
            if heir is not None:
                routing.sticky.promise(self, heir)
        return heir

    def _nobody_left(self) -> Unanswered:
        if not self.met:
            return Unanswered(503, "destination_unavailable", "no server can take requests now")
        names = ", ".join(server.name for server in self.met)
        return Unanswered(502, self.left_because, f"tried {names}; no other server can take requests now")
