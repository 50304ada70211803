"""Servers behind a DNS name: looked up again and again, joined when they appear, drained when they go.

Made for ``tasks.cart`` of Docker Swarm and headless Services, whose names resolve to all members. A
server whose address has vanished is drained, then removed: as soon as nothing is in flight there and
no session can be missed any more, at the latest after ``drain`` seconds. What is in flight then still
ends in peace. An operator's word stands: a member deleted by hand stays away until its address has
vanished once.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

from lb.pool import LOOKUP, Address, State
from lb.roster import Roster, name_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from lb.balancer import Balancer
    from lb.operations import Operations
    from lb.pool import Server
    from lb.roster import News

    Resolve = Callable[[Address], Awaitable[Sequence[Address]]]


async def resolve(name: Address) -> list[Address]:
    """All addresses of one family, IPv4 where there is one: a server with both must not count twice."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(name.host, name.port, type=socket.SOCK_STREAM)
    family = socket.AF_INET if any(entry[0] == socket.AF_INET for entry in found) else socket.AF_INET6
    return [Address(str(entry[4][0]), name.port) for entry in found if entry[0] == family]


@dataclass(slots=True)
class _Leaving:
    """A server on its way out; ``drained`` here, and not by the operator, who must be asked back."""

    server: Server
    deadline: float
    drained: bool


class Discovery:
    """Watches one name, whose members are called ``prefix`` and their address."""

    def __init__(
        self, prefix: str, name: Address, balancer: Balancer, operations: Operations, ask: Resolve = resolve
    ) -> None:
        self._prefix = prefix
        self._name = name
        self._balancer = balancer
        self._operations = operations
        self._resolve = ask
        self._roster = Roster(balancer.settings.resolve_hold, monotonic())
        self._leaving: dict[str, _Leaving] = {}
        self._trouble = ""
        self._task = asyncio.get_running_loop().create_task(self._watch())

    def stop(self) -> None:
        self._task.cancel()

    async def _watch(self) -> None:
        """A lookup that hangs is waited for, never doubled; time goes on for the others meanwhile."""
        interval = self._balancer.settings.resolve_interval
        lookup: asyncio.Future[Sequence[Address]] | None = None
        try:
            while True:
                pause = asyncio.ensure_future(asyncio.sleep(interval))
                lookup = lookup or asyncio.ensure_future(self._resolve(self._name))
                await asyncio.wait((lookup, pause), return_when=asyncio.FIRST_COMPLETED)
                if lookup.done():
                    self._on_lookup(lookup)
                    lookup = None
                else:
                    self._follow(self._roster.no_answer(monotonic()))
                self._let_go()
                await pause
        finally:
            if lookup is not None:
                lookup.cancel()

    def _on_lookup(self, lookup: asyncio.Future[Sequence[Address]]) -> None:
        try:
            addresses = lookup.result()
        except (OSError, UnicodeError) as error:  # no name, no resolver; a label that is too long
            self._note(getattr(error, "strerror", None) or str(error))
            self._follow(self._roster.no_answer(monotonic()))
        else:
            self._note("")
            self._follow(self._roster.answer(addresses, monotonic()))

    def _note(self, trouble: str) -> None:
        """Say it once when lookups begin to fail, and once when they are well again."""
        if trouble == self._trouble:
            return
        self._trouble = trouble
        hold = self._balancer.settings.resolve_hold
        told = f"{trouble}; its servers are kept for {hold:g} s" if trouble else "found again"
        sys.stderr.write(f"lb: looking up {self._name.host}: {told}\n")
        self._balancer.events.tell("lookup", name=self._name.host, error=trouble or None)

    def _follow(self, news: News) -> None:
        for address in news.appeared:
            self._join(address)
        for address in news.vanished:
            self._leave(address)

    def _join(self, address: Address) -> None:
        name = name_of(self._prefix, address)
        leaving = self._leaving.pop(name, None)
        if self._balancer.routing.pool.get(name) is None:
            self._operations.place(name, address, f"found as {self._name.host}", LOOKUP)
        elif leaving is not None and leaving.drained:
            self._operations.wish(leaving.server, "ready", f"found again as {self._name.host}", LOOKUP)

    def _leave(self, address: Address) -> None:
        name = name_of(self._prefix, address)
        server = self._balancer.routing.pool.get(name)
        if server is None:
            return
        is_ours = server.state in (State.STARTING, State.UP, State.DOWN, State.EJECTED)
        if is_ours:
            self._operations.wish(server, "drain", f"no longer found as {self._name.host}", LOOKUP)
        deadline = monotonic() + self._balancer.settings.discover_drain
        self._leaving[name] = _Leaving(server, deadline, is_ours)

    def _let_go(self) -> None:
        for name, leaving in tuple(self._leaving.items()):
            server = leaving.server
            if self._balancer.routing.pool.get(name) is not server:  # the operator was quicker
                del self._leaving[name]
            elif monotonic() >= leaving.deadline or (server.active == 0 and not self._is_missed(server)):
                del self._leaving[name]
                self._operations.remove(server, f"no longer found as {self._name.host}", LOOKUP)

    def _is_missed(self, server: Server) -> bool:
        """Whether sessions may still come back to it. Who holds a cookie is not known here."""
        ties = server.sessions > 0 or self._balancer.routing.sticky.mode == "cookie"
        return ties and server.available(tied=True)
