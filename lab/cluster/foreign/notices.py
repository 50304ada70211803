"""What changed between two looks, as the events that our balancer would have told. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lab.cluster.foreign.sight import Sight

if TYPE_CHECKING:
    from collections.abc import Iterator

Notice = dict[str, Any]


class Notices:
    """Numbered, all kept: servers change rarely, and a session moves only when one does."""

    def __init__(self) -> None:
        self.told: list[Notice] = []
        self.last = Sight()

    def compare(self, sight: Sight, now: float) -> None:
        """Tell what ``sight`` has that the last one had not. ``now`` is Unix time."""
        for what in (*self._changes(sight), *self._moves(sight)):
            self.told.append({"seq": len(self.told) + 1, "at": round(now, 6), **what})
        self.last = sight

    def _changes(self, sight: Sight) -> Iterator[Notice]:
        for name, seen in sight.servers.items():
            before = self.last.servers.get(name)
            if before is None or before.state != seen.state:
                was = before.state if before else "starting"
                yield {"kind": "server", "server": name, "from": was, "to": seen.state, "cause": seen.cause}

    def _moves(self, sight: Sight) -> Iterator[Notice]:
        earlier = self.last.ties or {}
        for session, server in (sight.ties or {}).items():
            was = earlier.get(session, server)
            if was != server:
                yield {"kind": "moved", "session": session, "from": was, "to": server, "cause": ""}
