"""What an operator may do to the servers while the balancer runs; no other connection notices."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from lb.pool import ADDED, OPERATOR, Event
from lb.settings import check_name

if TYPE_CHECKING:
    from lb.balancer import Balancer
    from lb.checks import Checks
    from lb.pool import Address, Server

#: The words of the admin API for the operator's three wishes.
WISHES = {"ready": Event.READY, "drain": Event.DRAIN, "maintenance": Event.MAINTAIN}


class Operations:
    def __init__(self, balancer: Balancer, checks: Checks) -> None:
        self._balancer = balancer
        self._checks = checks

    def begin(self) -> None:
        """Place the servers of the settings."""
        settings = self._balancer.settings
        for name, address in (settings.servers | settings.backups).items():
            server = self.place(name, address, "given at the start", backup=name in settings.backups)
            self._balancer.slow_start.exempt(server)

    def place(
        self, name: str, address: Address, cause: str = "added", code: str = ADDED, *, backup: bool = False
    ) -> Server:
        """Add server ``name`` at ``address``, or tell where it lives now."""
        check_name(name)
        pool = self._balancer.routing.pool
        server = pool.get(name)
        if server is None:
            server = self._balancer.add_server(name, address, cause, code, backup=backup)
            self._checks.watch(server)
        else:
            self._balancer.tell(pool.move(server, address))
            self._checks.start_over(server)
        return server

    def wish(self, server: Server, word: str, cause: str = "", code: str = OPERATOR) -> None:
        """``cause`` says who wants it; the operator by default."""
        event = WISHES[word]
        change = self._balancer.routing.pool.apply(server, event, cause or f"{word} by the operator", code)
        self._balancer.tell(change)
        if change is not None and event is Event.READY:
            self._checks.start_over(server)

    def weigh(self, server: Server, weight: int) -> None:
        self._balancer.routing.pool.weigh(server, weight)
        self._balancer.slow_start.go_on(monotonic())

    def shut_sessions(self, server: Server) -> int:
        """End what is on ``server`` now, in whichever state it is; new requests are not kept from it."""
        ended = self._balancer.shut_sessions(server)
        self._balancer.events.tell("shutdown", server=server.name, ended=ended)
        return ended

    def remove(self, server: Server, cause: str = "removed by the operator", code: str = OPERATOR) -> None:
        self._checks.forget(server)
        self._balancer.remove_server(server, cause, code)
