"""What ties a request to a server.

``find`` reads the tie from a request; ``settle`` is told which server's answer was used. Attempts
that failed teach nothing. A mode is one class; the data path knows only this signature.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lb.failover import Failover
    from lb.learned import Binding, Learned
    from lb.pool import Server

FINGERPRINT_DIGITS = 12


def fingerprint(value: bytes) -> str:
    """A session's public name: what may be shown, logged and kept, unlike the cookie itself."""
    return sha256(value).hexdigest()[:FINGERPRINT_DIGITS]


class Tie:
    """A request's tie: the session and, through its binding, the server it lives on *now*.

    Not a copy: when another request of the session has moved it meanwhile, this one follows.
    """

    __slots__ = ("binding", "session")

    def __init__(self, session: str | None = None, binding: Binding | None = None) -> None:
        self.session = session
        self.binding = binding

    @property
    def server(self) -> Server | None:
        return self.binding.server if self.binding else None


UNTIED = Tie()


class Sticky(Protocol):
    mode: str

    def find(self, cookies: Sequence[bytes], now: float) -> Tie: ...

    def heir(self, tie: Tie) -> Server | None:
        """The server to which another request of this session is on its way already."""
        ...

    def promise(self, tie: Tie, server: Server) -> None:
        """``server`` is about to be asked in place of the tied one."""
        ...

    def abandon(self, tie: Tie) -> None:
        """No server answered: whatever was promised is void."""
        ...

    def settle(self, tie: Tie, server: Server, set_cookies: Sequence[bytes], now: float) -> Server | None:
        """The answer of ``server`` was used; the server that the session has left for it, if any."""
        ...

    def expire(self, now: float) -> None:
        """Forget what is too old."""
        ...


class NoSticky:
    """Ties nobody."""

    mode = "none"

    def find(self, cookies: Sequence[bytes], now: float) -> Tie:  # noqa: ARG002 - the mode's signature
        return UNTIED

    def heir(self, tie: Tie) -> Server | None:  # noqa: ARG002
        return None

    def promise(self, tie: Tie, server: Server) -> None: ...

    def abandon(self, tie: Tie) -> None: ...

    def settle(self, tie: Tie, server: Server, set_cookies: Sequence[bytes], now: float) -> None: ...

    def expire(self, now: float) -> None: ...


class LearnSticky:
    """Learns server of session from the application's own ``Set-Cookie``.

    A session that the table does not know is never adopted from a request: clients can send
    anything. Nothing survives a restart of the balancer; that is one of the lessons.
    """

    mode = "learn"

    def __init__(self, cookie: str, table: Learned, failover: Failover) -> None:
        name = re.escape(cookie.encode("ascii"))
        self.table = table
        self._failover = failover
        self._in_request = re.compile(rb"(?:^|;)[ \t]*" + name + rb"=([^;]*)")
        self._in_response = re.compile(rb"[ \t]*" + name + rb"=([^;]*)")
        self._heirs: dict[str, Server] = {}

    def find(self, cookies: Sequence[bytes], now: float) -> Tie:
        for line in cookies:
            for value in self._in_request.findall(line):
                session = fingerprint(value.rstrip(b" \t"))
                binding = self.table.get(session, now)
                if binding is not None:
                    return Tie(session, binding)
        return UNTIED

    def heir(self, tie: Tie) -> Server | None:
        return self._heirs.get(tie.session) if tie.session else None

    def promise(self, tie: Tie, server: Server) -> None:
        if tie.session:
            self._heirs[tie.session] = server

    def abandon(self, tie: Tie) -> None:
        if tie.session:
            self._heirs.pop(tie.session, None)

    def settle(self, tie: Tie, server: Server, set_cookies: Sequence[bytes], now: float) -> Server | None:
        left = self._move(tie, server, now) if tie.session and tie.server is not server else None
        for line in set_cookies:
            match = self._in_response.match(line)
            if match and (value := match[1].rstrip(b" \t")):
                self._learn(fingerprint(value), tie, server, now)
        return left

    def expire(self, now: float) -> None:
        self.table.expire(now)

    def _move(self, tie: Tie, server: Server, now: float) -> Server | None:
        self.abandon(tie)
        if not self._failover.rebinds or tie.session is None:
            return None
        left = tie.server
        self.table.bind(tie.session, server, now)
        return left

    def _learn(self, session: str, tie: Tie, server: Server, now: float) -> None:
        stays_home = session == tie.session and not self._failover.rebinds
        if not stays_home:
            self.table.bind(session, server, now)
