"""``cookie``: the balancer's own cookie names the server, so nothing has to be remembered here.

HAProxy's ``cookie NAME insert indirect nocache``, in its words: *insert*, the cookie is set when a
client has none that is right; *indirect*, servers never see it; *nocache*, an answer that carries it
is private. It names a server by its identity: the order of servers, their addresses and a restart of
the balancer change nothing.

With ``maxidle`` or ``maxlife`` the value is dated, ``NAME|last seen|first seen`` in Unix seconds. An
undated value is accepted and dated, and a date more than a day ahead is no date: a wrong clock must
not throw sessions off. An opaque value is an HMAC of the name; its dates are signed, and without them
it is expired, or else anybody could live forever by cutting them off.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from lb.learned import Binding
from lb.route import Came, Route, Went
from lb.sticky import Heirs, sessions_of, values_in

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lb.failover import Failover
    from lb.pool import Pool, Server
    from lb.request import Fields
    from lb.response import ResponseHead

# Naming an enum's member costs a lookup each time; this one is named for every request.
_VALID = Came.VALID
_DAY: Final = 86_400
_DIGITS: Final = 16
_COOKIE_LINE = re.compile(rb"(?im)^cookie:[^\r]*\r\n")
_DATED = re.compile(rb"([^|]+)(?:\|(\d{1,12})\|(\d{1,12})(?:\|([0-9a-f]+))?)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class CookieForm:
    """How the cookie is written. Zero seconds mean: no limit; no ``secret``: the name stands there."""

    name: str = "LABSRV"
    max_age: int = 0
    max_idle: int = 0
    max_life: int = 0
    secure: bool = False
    preserve: bool = False
    secret: bytes = b""

    @property
    def is_dated(self) -> bool:
        return self.max_idle > 0 or self.max_life > 0


class Tie(NamedTuple):
    """What a cookie says. A date of 0 is none."""

    server: Server
    last: int
    first: int


class CookieSticky(Heirs):
    mode = "cookie"
    dresses = True

    def __init__(
        self, form: CookieForm, pool: Pool, failover: Failover, clock: Callable[[], float], *, app_cookie: str
    ) -> None:
        super().__init__()
        self._form = form
        self.dresses_all = form.is_dated
        self._pool = pool
        self._failover = failover
        self._clock = clock
        name = form.name.encode("ascii")
        self._name = name
        self._ours = values_in(name)
        self._app = values_in(app_cookie.encode("ascii"))
        self._in_response = re.compile(rb"[ \t]*" + re.escape(name) + rb"=")
        self._mark = lru_cache(maxsize=1024)(self._compute_mark)

    # Requests

    def onward(self, fields: Fields) -> bytes:
        """The request's field lines without our cookie; all others byte for byte."""
        if not any(self._ours.search(line) for line in fields.cookies):
            return fields.block
        return _COOKIE_LINE.sub(lambda line: self.cookie_onward(line[0]), fields.block)

    def cookie_onward(self, line: bytes) -> bytes:
        field, _, value = line.partition(b":")
        if not self._ours.search(value):
            return line
        others = [pair for pair in value.strip(b" \t\r\n").split(b";") if not self._ours.match(pair)]
        kept = b";".join(others).strip(b" \t")
        return b"%b: %b\r\n" % (field, kept) if kept else b""

    def find(self, fields: Fields, now: float, peer: str = "") -> Route:  # noqa: ARG002 - the mode's signature
        """The first cookie of ours whose server can take the request wins; else the first that names
        one at all.
        """
        if fields.tie is not None and fields.tie[0] == self._pool.epoch:
            return Route(fields.sessions[0] if fields.sessions else None, fields.tie[1], _VALID)
        if fields.marks is None:
            fields.marks = tuple(value for line in fields.cookies for value in self._ours.findall(line))
            fields.sessions = sessions_of(self._app, fields.cookies)
        session = fields.sessions[0] if fields.sessions else None
        if not fields.marks:
            return Route(session, came=Came.NONE)
        came, tied = Came.INVALID, None
        for mark in fields.marks:
            tie = self._read(mark.rstrip(b" \t"))
            if tie is None:
                continue
            late = self._lateness(tie)
            if late is not None:
                came = late
            elif tie.server.available(tied=True):
                if not self._form.is_dated:  # nothing but a change of the servers can make it wrong
                    fields.tie = self._pool.epoch, Binding(tie.server, now)
                return self._route(session, tie, now, Came.VALID)
            else:
                tied = tied or tie
        return self._route(session, tied, now, Came.DOWN) if tied else Route(session, came=came)

    def _route(self, session: str | None, tie: Tie, now: float, came: Came) -> Route:
        route = Route(session, Binding(tie.server, now), came=came)
        route.first_seen, route.last_seen = tie.first, tie.last
        return route

    def _read(self, mark: bytes) -> Tie | None:
        if not self._form.secret and (server := self._pool.get(mark.decode("latin-1"))):
            return Tie(server, 0, 0)  # the usual, for which no expression is needed
        match = _DATED.fullmatch(mark)
        if match is None:
            return None
        named, last, first, signature = match.groups()
        if self._form.secret:
            signed = self._sign(b"dates", mark.rpartition(b"|")[0]) if last else b""
            if not hmac.compare_digest(signed, signature or b""):
                return None
        elif signature:
            return None
        server = self._named(named)
        return Tie(server, self._date(last), self._date(first)) if server else None

    def _named(self, named: bytes) -> Server | None:
        if not self._form.secret:
            return self._pool.get(named.decode("latin-1"))
        found = None
        for server in self._pool:
            if hmac.compare_digest(self._mark(server.name), named):
                found = server
        return found

    def _date(self, text: bytes | None) -> int:
        date = int(text or 0)
        return 0 if date and date > self._clock() + _DAY else date

    def _lateness(self, tie: Tie) -> Came | None:
        form = self._form
        if not form.is_dated:
            return None
        now = self._clock()
        if form.secret and not tie.last:
            return Came.EXPIRED
        if form.max_idle and tie.last and now - tie.last > form.max_idle:
            return Came.EXPIRED
        if form.max_life and tie.first and now - tie.first > form.max_life:
            return Came.OLD
        return None

    # Answers

    def settle(self, route: Route, server: Server, set_cookies: Sequence[bytes], now: float) -> Server | None:  # noqa: ARG002 - the mode's signature
        self.abandon(route)
        left = route.bound
        return left if left is not server and self._failover.rebinds else None

    def dress(self, route: Route, server: Server, head: ResponseHead) -> tuple[bytes, bytes]:
        block, extra = head.block, b""
        if head.set_cookies and any(self._in_response.match(line) for line in head.set_cookies):
            if self._form.preserve:
                route.went = Went.PASSED
                return block, extra
            route.went = Went.DELETED
            lines = block.split(b"\r\n")
            block = b"\r\n".join(line for line in lines if not self._is_theirs(line))
        went = self._due(route, server)
        if went is not None:
            route.went = went
            extra = self._set_cookie(route, server)
        return block, extra

    def _is_theirs(self, line: bytes) -> bool:
        """Whether the server tries to set a cookie of our name."""
        field, _, value = line.partition(b":")
        return field.lower() == b"set-cookie" and self._in_response.match(value) is not None

    def _due(self, route: Route, server: Server) -> Went | None:
        """Whether the client must be given a cookie, and what that is called."""
        home = route.home
        if home is None:
            return Went.INSERTED
        if home is not server:
            return Went.INSERTED if self._failover.rebinds else None
        is_stale = self._form.is_dated and route.last_seen != int(self._clock())
        return Went.UPDATED if is_stale else None

    def _set_cookie(self, route: Route, server: Server) -> bytes:
        form, now = self._form, int(self._clock())
        value = self._mark(server.name)
        if form.is_dated:
            first = route.first_seen if route.home is server and route.first_seen else now
            value = b"%b|%d|%d" % (value, now, first)
            if form.secret:
                value += b"|" + self._sign(b"dates", value)
        line = b"Set-Cookie: %b=%b; Path=/; HttpOnly; SameSite=Lax" % (self._name, value)
        if form.secure or route.is_https:
            line += b"; Secure"
        if form.max_age:
            expires = formatdate(now + form.max_age, usegmt=True).encode("ascii")
            line += b"; Max-Age=%d; Expires=%b" % (form.max_age, expires)
        return line + b"\r\nCache-Control: private\r\n"

    def _compute_mark(self, name: str) -> bytes:
        plain = name.encode("ascii")
        return self._sign(b"server", plain) if self._form.secret else plain

    def _sign(self, what: bytes, text: bytes) -> bytes:
        digest = hmac.digest(self._form.secret, what + b"\0" + text, "sha256")
        return digest.hex()[:_DIGITS].encode("ascii")
