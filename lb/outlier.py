"""Outlier ejection: a server that fails requests while its checks pass is left out for a while.

In Envoy's words. ``consecutive_5xx`` answers of 5xx in a row eject a server, or
``consecutive_gateway_failure`` of 502, 503 and 504; a connection that was refused, broke or stayed
silent counts for both, as Envoy counts what it would itself answer with 503. The n-th ejection lasts
n times ``base_ejection_time``, at most ``max_ejection_time``; every such time that a server then
behaves takes one from n. At most ``max_ejection_percent`` of the servers are out at once, though always
one may be, and never the last that takes new sessions: an error of one server is better than none at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lb.pool import Event, State

if TYPE_CHECKING:
    from lb.pool import Change, Pool, Server

CODE: Final = "OUTLIER"
_GATEWAY: Final = frozenset({502, 503, 504})
_SERVER_ERROR: Final = 500


@dataclass(frozen=True, slots=True)
class Limits:
    """Times are seconds; 0 in a row: never."""

    consecutive_5xx: int
    consecutive_gateway_failure: int
    base_ejection_time: float
    max_ejection_time: float
    max_ejection_percent: int

    @property
    def is_on(self) -> bool:
        return self.consecutive_5xx > 0 or self.consecutive_gateway_failure > 0


@dataclass(slots=True)
class _Record:
    """Of one server: failures in a row, how often it was ejected, when it is to be back or came back."""

    errors: int = 0
    gateway: int = 0
    ejections: int = 0
    until: float = 0.0


class Outliers:
    """Every ``now`` is of one monotonic clock."""

    def __init__(self, limits: Limits, pool: Pool) -> None:
        self._limits = limits
        self._pool = pool
        self._records: dict[Server, _Record] = {}

    def on_answer(self, server: Server, status: int, now: float) -> Change | None:
        if status < _SERVER_ERROR:
            record = self._records.get(server)
            if record is not None:
                record.errors = record.gateway = 0
            return None
        return self._count(server, f"answers of {status}", now, is_gateway=status in _GATEWAY)

    def on_failure(self, server: Server, now: float) -> Change | None:
        """A request got no answer from ``server``."""
        return self._count(server, "failures", now, is_gateway=True)

    def go_on(self, now: float) -> list[Change]:
        """Time has passed: bring back who has been out for long enough."""
        changes = []
        for server, record in tuple(self._records.items()):
            if server.state is State.GONE:
                del self._records[server]
            elif server.state is State.EJECTED and now >= record.until:
                change = self._pool.apply(server, Event.RETURNED, "ejection over", CODE)
                if change is not None:
                    changes.append(change)
        return changes

    def _count(self, server: Server, what: str, now: float, *, is_gateway: bool) -> Change | None:
        record = self._records.setdefault(server, _Record())
        record.errors += 1
        record.gateway = record.gateway + 1 if is_gateway else 0
        limits = self._limits
        for count, limit in (
            (record.errors, limits.consecutive_5xx),
            (record.gateway, limits.consecutive_gateway_failure),
        ):
            if 0 < limit <= count and self._may_eject(server):
                return self._eject(server, record, f"{count} in a row, last {what}", now)
        return None

    def _may_eject(self, server: Server) -> bool:
        servers = list(self._pool)
        out = sum(other.state is State.EJECTED for other in servers)
        most = max(1, self._limits.max_ejection_percent * len(servers) // 100)
        return out < most and any(other is not server for other in self._pool.open)

    def _eject(self, server: Server, record: _Record, why: str, now: float) -> Change | None:
        base = self._limits.base_ejection_time
        behaved = int((now - record.until) / base) if record.until else 0
        ejections = max(0, record.ejections - behaved) + 1
        lasts = min(ejections * base, self._limits.max_ejection_time)
        change = self._pool.apply(server, Event.EJECTED, f"{why}: out for {lasts:g} s", CODE)
        if change is not None:
            record.errors = record.gateway = 0
            record.ejections, record.until = ejections, now + lasts
        return change
