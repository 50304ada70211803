"""Servers and their states.

Every change of state is one line of ``TRANSITIONS``; an event that has no line changes nothing.
The picture::

    STARTING --passed--> UP <--passed-- DOWN        passed   enough checks in a row succeeded
                         |  --failed-->             failed   enough checks in a row failed
       any --drain--> DRAINING                      drain, maintain, ready   the operator's word
       any --maintain--> MAINTENANCE                moved    it got another address: prove yourself again
       any --remove--> GONE                         remove   it left the pool

* STARTING: no check has succeeded yet at this address; gets nothing.
* UP: gets new sessions and its own. A backup server that is well is shown as ``backup``: it gets new
  sessions only while no ordinary server takes any, and keeps those it got when one is back.
* DRAINING: keeps its own sessions, gets no new ones. Checks go on.
* DRAINING_DOWN: draining, and checks fail. Shown as ``down``; a state of its own so that a server
  that comes back is still draining: being down for a moment must not undo the operator's word.
* MAINTENANCE: gets nothing and is not checked, so leaving it means STARTING.
* DOWN: checks fail; gets nothing.
* EJECTED: checks pass, but it failed requests; gets nothing for a time. Only where that is asked for.
* GONE: no longer in the pool; only old ties and requests in flight still know it.

Whether a request may go to a server is decided in one place, ``Server.available``.

Every change has a cause in words and a code: HAProxy's for the check that led to it (L7OK, L4CON, L7STS
...), or one of those below.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from lb.counters import ServerCounters

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator


class State(StrEnum):
    STARTING = "starting"
    UP = "up"
    DRAINING = "draining"
    DRAINING_DOWN = "draining-down"
    MAINTENANCE = "maintenance"
    DOWN = "down"
    EJECTED = "ejected"
    GONE = "gone"

    @property
    def shown(self) -> str:
        """The word for screens and the admin API."""
        return "down" if self is State.DRAINING_DOWN else self.value


class Event(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    DRAIN = "drain"
    MAINTAIN = "maintain"
    READY = "ready"
    MOVED = "moved"
    EJECTED = "ejected"
    RETURNED = "returned"
    REMOVED = "removed"


#: Codes of what no check led to: the operator's word, a DNS name, the beginning.
OPERATOR = "OPER"
LOOKUP = "DNS"
ADDED = "NEW"

#: How UP is shown of a backup server.
BACKUP = "backup"

#: An enum's member costs a lookup each time it is named; these two are named for every request.
_UP, _DRAINING = State.UP, State.DRAINING

TRANSITIONS: dict[tuple[State, Event], State] = {
    (State.STARTING, Event.PASSED): State.UP,
    (State.STARTING, Event.DRAIN): State.DRAINING_DOWN,
    (State.STARTING, Event.MAINTAIN): State.MAINTENANCE,
    (State.STARTING, Event.REMOVED): State.GONE,
    (State.UP, Event.FAILED): State.DOWN,
    (State.UP, Event.DRAIN): State.DRAINING,
    (State.UP, Event.MAINTAIN): State.MAINTENANCE,
    (State.UP, Event.MOVED): State.STARTING,
    (State.UP, Event.REMOVED): State.GONE,
    (State.DRAINING, Event.FAILED): State.DRAINING_DOWN,
    (State.DRAINING, Event.READY): State.UP,
    (State.DRAINING, Event.MAINTAIN): State.MAINTENANCE,
    (State.DRAINING, Event.MOVED): State.DRAINING_DOWN,
    (State.DRAINING, Event.REMOVED): State.GONE,
    (State.DRAINING_DOWN, Event.PASSED): State.DRAINING,
    (State.DRAINING_DOWN, Event.READY): State.STARTING,
    (State.DRAINING_DOWN, Event.MAINTAIN): State.MAINTENANCE,
    (State.DRAINING_DOWN, Event.REMOVED): State.GONE,
    (State.MAINTENANCE, Event.READY): State.STARTING,
    (State.MAINTENANCE, Event.DRAIN): State.DRAINING_DOWN,
    (State.MAINTENANCE, Event.REMOVED): State.GONE,
    (State.DOWN, Event.PASSED): State.UP,
    (State.DOWN, Event.DRAIN): State.DRAINING_DOWN,
    (State.DOWN, Event.MAINTAIN): State.MAINTENANCE,
    (State.DOWN, Event.MOVED): State.STARTING,
    (State.DOWN, Event.REMOVED): State.GONE,
    (State.UP, Event.EJECTED): State.EJECTED,
    (State.EJECTED, Event.RETURNED): State.UP,
    (State.EJECTED, Event.READY): State.UP,
    (State.EJECTED, Event.FAILED): State.DOWN,
    (State.EJECTED, Event.DRAIN): State.DRAINING,
    (State.EJECTED, Event.MAINTAIN): State.MAINTENANCE,
    (State.EJECTED, Event.MOVED): State.STARTING,
    (State.EJECTED, Event.REMOVED): State.GONE,
}

#: States in which a server is asked how it is.
CHECKED = frozenset(State) - {State.MAINTENANCE, State.GONE}


@dataclass(frozen=True, slots=True)
class Address:
    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Change:
    """A server went from one state to another. ``at`` is Unix time."""

    server: Server
    before: State
    after: State
    cause: str
    code: str
    at: float

    @property
    def words(self) -> tuple[str, str]:
        """The states as they are shown, before and after."""
        return self.server.word_for(self.before), self.server.word_for(self.after)


@dataclass(slots=True, eq=False)
class Server:
    """One server: its identity is ``name``; the address may change under it.

    ``residence`` counts its addresses, so that a connection knows whether it still leads there.
    ``active`` requests are in flight on it, ``sessions`` are tied to it by the learned table. ``open``:
    it takes new sessions now. ``pace`` is what it has of its weight while it is warming up.
    """

    name: str
    address: Address
    weight: int = 1
    backup: bool = False
    state: State = State.STARTING
    open: bool = False
    cause: str = "not checked yet"
    code: str = ADDED
    pace: float = field(init=False)
    changed_at: float = 0.0
    residence: int = 0
    active: int = 0
    sessions: int = 0
    requests: int = 0
    counters: ServerCounters = field(default_factory=ServerCounters)

    def __post_init__(self) -> None:
        self.pace = self.weight

    def available(self, *, tied: bool) -> bool:
        """Whether a request may go there; ``tied`` means its session already lives there."""
        return self.open or (tied and (self.state is _UP or self.state is _DRAINING))

    @property
    def is_able(self) -> bool:
        """Whether it could take new sessions, though a backup need not be asked to."""
        return self.state is _UP and self.weight > 0

    def word_for(self, state: State) -> str:
        """``state`` of this server as it is shown."""
        return BACKUP if self.backup and state is _UP else state.shown

    @property
    def shown(self) -> str:
        return self.word_for(self.state)


class Pool:
    """The servers by name. ``open`` are those that take new sessions, ``epoch`` counts its changes.

    Of the backup servers only the first that is well is used, or with ``all_backups`` all of them
    (HAProxy's ``option allbackups``).
    """

    def __init__(self, clock: Callable[[], float], *, all_backups: bool = False) -> None:
        self._clock = clock
        self._all_backups = all_backups
        self._servers: dict[str, Server] = {}
        self.open: tuple[Server, ...] = ()
        self.epoch = 0

    def __iter__(self) -> Iterator[Server]:
        return iter(tuple(self._servers.values()))

    def __len__(self) -> int:
        return len(self._servers)

    def get(self, name: str) -> Server | None:
        return self._servers.get(name)

    def add(self, name: str, address: Address, weight: int = 1, *, backup: bool = False) -> Server:
        if name in self._servers:
            raise ValueError(f"a server named {name} is in the pool already")
        server = Server(name, address, weight, backup, changed_at=self._clock())
        self._servers[name] = server
        return server

    def move(self, server: Server, address: Address) -> Change | None:
        """Give ``server`` another address, or the same again after a restart."""
        server.address = address
        server.residence += 1
        return self.apply(server, Event.MOVED, f"re-addressed to {address}")

    def weigh(self, server: Server, weight: int) -> None:
        server.weight = server.pace = weight
        self._reopen()

    def remove(
        self, server: Server, cause: str = "removed by the operator", code: str = OPERATOR
    ) -> Change | None:
        del self._servers[server.name]
        return self.apply(server, Event.REMOVED, cause, code)

    def stand_in(self, met: Collection[Server]) -> Server | None:
        """A backup for a request that ``met`` all others in vain, before they are known to be down."""
        return next((s for s in self._servers.values() if s.backup and s.is_able and s not in met), None)

    def apply(self, server: Server, event: Event, cause: str, code: str = OPERATOR) -> Change | None:
        """Bring ``event`` to ``server``; None where it changes nothing."""
        before = server.state
        after = TRANSITIONS.get((before, event))
        if after is None:
            return None
        server.state, server.changed_at = after, self._clock()
        server.cause, server.code = cause, code
        server.open = False
        self._reopen()
        return Change(server, before, after, cause, code, server.changed_at)

    def _reopen(self) -> None:
        able = [server for server in self._servers.values() if server.is_able]
        ordinary = [server for server in able if not server.backup]
        self.open = tuple(ordinary or (able if self._all_backups else able[:1]))
        for server in self._servers.values():
            server.open = server in self.open
        self.epoch += 1
