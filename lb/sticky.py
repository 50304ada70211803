"""What ties a request to a server.

``find`` reads the tie from a request; ``settle`` is told which server's answer was used. Attempts
that failed teach nothing. A mode is one class; the data path knows only this signature.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Protocol

from lb.route import Came, Route, Went

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lb.failover import Failover
    from lb.learned import Learned
    from lb.pool import Server
    from lb.request import Fields
    from lb.response import ResponseHead

FINGERPRINT_DIGITS: Final = 12
# Naming an enum's member costs a lookup each time; these are named for every request.
_NONE, _VALID, _INVALID = Came.NONE, Came.VALID, Came.INVALID


def fingerprint(value: bytes) -> str:
    """A session's public name: what may be shown, logged and kept, unlike the cookie itself."""
    return sha256(value).hexdigest()[:FINGERPRINT_DIGITS]


def values_in(cookie: bytes) -> re.Pattern[bytes]:
    """Finds the values of a cookie in the value of a ``Cookie`` field; names are case-sensitive."""
    return re.compile(rb"(?:^|;)[ \t]*" + re.escape(cookie) + rb"=([^;]*)")


def sessions_of(pattern: re.Pattern[bytes], cookies: Sequence[bytes]) -> tuple[str, ...]:
    """The fingerprints of the values that ``pattern`` finds."""
    values = [value for line in cookies for value in pattern.findall(line)]
    return tuple(fingerprint(value.rstrip(b" \t")) for value in values)


class Sticky(Protocol):
    """``dresses``: it has a say in the field lines of answers, be it only of those that set a cookie or
    come from elsewhere than the session's home; ``dresses_all``: in those of all.
    """

    mode: str
    dresses: bool
    dresses_all: bool

    def onward(self, fields: Fields) -> bytes:
        """The request's field lines as a server is to get them."""
        ...

    def cookie_onward(self, line: bytes) -> bytes:
        """The same of one ``Cookie`` line, its CRLF included; empty if nothing of it goes on."""
        ...

    def find(self, fields: Fields, now: float, peer: str = "") -> Route:
        """The tie of a request from ``peer``, an address."""
        ...

    def settle(self, route: Route, server: Server, set_cookies: Sequence[bytes], now: float) -> Server | None:
        """The answer of ``server`` was used; the server that the session has left for it, if any."""
        ...

    def dress(self, route: Route, server: Server, head: ResponseHead) -> tuple[bytes, bytes]:
        """The answer's field lines as the client is to get them, and those to add."""
        ...

    def heir(self, route: Route) -> Server | None:
        """The server to which another request of this session is on its way already."""
        ...

    def promise(self, route: Route, server: Server) -> None:
        """``server`` is about to be asked in place of the tied one."""
        ...

    def abandon(self, route: Route) -> None:
        """No server answered: whatever was promised is void."""
        ...

    def expire(self, now: float) -> None:
        """Forget what is too old."""
        ...


class _Undressed:
    """Leaves all field lines as they are."""

    dresses = False
    dresses_all = False

    def onward(self, fields: Fields) -> bytes:
        return fields.block

    def cookie_onward(self, line: bytes) -> bytes:
        return line

    def dress(self, route: Route, server: Server, head: ResponseHead) -> tuple[bytes, bytes]:  # noqa: ARG002
        return head.block, b""


class Heirs:
    """Who answers for a session while requests of it fail over, so that they do not part ways."""

    def __init__(self) -> None:
        self._heirs: dict[str, Server] = {}

    def heir(self, route: Route) -> Server | None:
        return self._heirs.get(route.session) if route.session else None

    def promise(self, route: Route, server: Server) -> None:
        if route.session:
            self._heirs[route.session] = server

    def abandon(self, route: Route) -> None:
        if route.session:
            self._heirs.pop(route.session, None)

    def expire(self, now: float) -> None: ...


class Stateless(_Undressed):
    """Keeps nothing about anybody."""

    def settle(
        self,
        route: Route,  # noqa: ARG002 - the mode's signature
        server: Server,  # noqa: ARG002
        set_cookies: Sequence[bytes],  # noqa: ARG002
        now: float,  # noqa: ARG002
    ) -> Server | None:
        return None

    def heir(self, route: Route) -> Server | None:  # noqa: ARG002 - as above
        return None

    def promise(self, route: Route, server: Server) -> None: ...

    def abandon(self, route: Route) -> None: ...

    def expire(self, now: float) -> None: ...


class NoSticky(Stateless):
    """Ties nobody."""

    mode = "none"

    def find(self, fields: Fields, now: float, peer: str = "") -> Route:  # noqa: ARG002 - the mode's signature
        return Route()


class LearnSticky(_Undressed, Heirs):
    """Learns server of session from the application's own ``Set-Cookie``.

    A session that the table does not know is never adopted from a request: clients can send
    anything. Nothing survives a restart of the balancer; that is one of the lessons.
    """

    mode = "learn"

    def __init__(self, cookie: str, table: Learned, failover: Failover) -> None:
        super().__init__()
        name = cookie.encode("ascii")
        self.table = table
        self._failover = failover
        self._in_request = values_in(name)
        self._in_response = re.compile(rb"[ \t]*" + re.escape(name) + rb"=([^;]*)")

    def find(self, fields: Fields, now: float, peer: str = "") -> Route:  # noqa: ARG002 - the mode's signature
        """The first session named in the cookies that the table knows."""
        sessions = fields.sessions
        if sessions is None:
            sessions = fields.sessions = sessions_of(self._in_request, fields.cookies)
        for session in sessions:
            binding = self.table.get(session, now)
            if binding is not None:
                return Route(session, binding, _VALID)
        return Route(came=_INVALID if sessions else _NONE)

    def settle(self, route: Route, server: Server, set_cookies: Sequence[bytes], now: float) -> Server | None:
        left = None
        if route.session is not None:
            self.abandon(route)
            if route.bound is not server and self._failover.rebinds:
                left = route.bound
                self.table.bind(route.session, server, now)
        for line in set_cookies:
            match = self._in_response.match(line)
            if match and (value := match[1].rstrip(b" \t")):
                self._learn(fingerprint(value), route, server, now)
        return left

    def expire(self, now: float) -> None:
        self.table.expire(now)

    def _learn(self, session: str, route: Route, server: Server, now: float) -> None:
        stays_home = session == route.session and not self._failover.rebinds
        route.went = Went.PASSED
        if not stays_home:
            self.table.bind(session, server, now)
