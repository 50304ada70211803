"""``learn`` with ``--prefer-backup``: who loses its server goes where a copy of it already is.

A server that copies its sessions says where to, ``X-Session-Backup: server-2``, with every answer; the
latest stands beside the owner in the table, and is forgotten with it. Failing over anywhere else works
too, but there the session has to be fetched first.

Only ``learn`` can do this. A cookie would have to name the backups as well, and to be set anew each time
they change; a hash does not know who has copies.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lb.sticky import LearnSticky, fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lb.failover import Failover
    from lb.learned import Learned
    from lb.pool import Pool, Server
    from lb.response import ResponseHead
    from lb.route import Route

#: Of the field's value; a longer one says nothing to us. It bounds what an entry of the table takes.
_LONGEST: Final = 128
_FIELD = re.compile(rb"(?i)(?:^|\r\n)x-session-backup:[ \t]*([^\r\n]*)")


class BackedSticky(LearnSticky):
    dresses = True
    dresses_all = True

    def __init__(self, cookie: str, table: Learned, failover: Failover, pool: Pool) -> None:
        super().__init__(cookie, table, failover)
        self._pool = pool

    def dress(self, route: Route, server: Server, head: ResponseHead) -> tuple[bytes, bytes]:
        """Nothing is changed; this is where every answer of a session comes by."""
        found = _FIELD.search(head.block)
        backups = found[1] if found and len(found[1]) <= _LONGEST else b""
        for session in self._sessions_of(route, head):
            self.table.note_backups(session, server, backups)
        return head.block, b""

    def heir(self, route: Route) -> Server | None:
        return super().heir(route) or self._backup(route)

    def _sessions_of(self, route: Route, head: ResponseHead) -> Iterator[str]:
        if route.session is not None:
            yield route.session
        for line in head.set_cookies:
            if match := self._in_response.match(line):
                yield fingerprint(match[1].rstrip(b" \t"))

    def _backup(self, route: Route) -> Server | None:
        if route.binding is None:
            return None
        for name in route.binding.backups.decode("latin-1").split(","):
            server = self._pool.get(name.strip())
            if server is not None and server not in route.met and server.available(tied=True):
                return server
        return None
