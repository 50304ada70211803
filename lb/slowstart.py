"""Slow start: a server that comes up takes new sessions gradually, for it is cold.

From ``LEAST`` of its weight to all of it, in a straight line over so many seconds (HAProxy's
``slowstart``; the floor is Envoy's ``min_weight_percent``, for a server that gets nothing learns
nothing). Only turns of untied requests follow it: ties, and keys that are hashed, stay where they
are. A server that was there when the balancer began starts at full weight, or the first minutes
after a restart would be everybody's slow start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lb.pool import State

if TYPE_CHECKING:
    from lb.pool import Change, Server

LEAST: Final = 0.1


class SlowStart:
    """Sets ``Server.pace``. ``seconds`` and every ``now`` are of one clock; 0 seconds: never."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._founders: set[Server] = set()
        self._since: dict[Server, float] = {}

    def exempt(self, server: Server) -> None:
        """``server`` was there from the beginning: its first coming up is no news."""
        self._founders.add(server)

    def on_change(self, change: Change, now: float) -> None:
        server = change.server
        self._since.pop(server, None)
        server.pace = server.weight
        if change.after is not State.UP:
            return
        is_cold = change.before in (State.STARTING, State.DOWN) and server not in self._founders
        self._founders.discard(server)
        if is_cold and self._seconds:
            self._since[server] = now
            self.go_on(now)

    def go_on(self, now: float) -> None:
        """Time has passed; also to be called after a weight was changed."""
        for server, since in tuple(self._since.items()):
            part = (now - since) / self._seconds
            server.pace = server.weight * min(1.0, max(LEAST, part))
            if part >= 1:
                del self._since[server]
