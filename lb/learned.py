"""The learned table: which server a session lives on, bounded in size and in time.

An entry lives ``ttl`` seconds from its last use; a full table gives up the entry that was used
longest ago. Order is kept by a queue with a second chance: an entry at the head of the queue that
was used since it was queued goes to the tail instead. Using an entry costs one store to a slot,
and a million entries are never walked at once. Every entry stands in the queue exactly once.
"""

from __future__ import annotations

from collections import deque
from heapq import nsmallest
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lb.pool import Server


class Binding:
    __slots__ = ("backups", "queued", "server", "used")

    def __init__(self, server: Server, now: float) -> None:
        self.server = server
        self.used = now
        self.queued = now
        #: Names of servers with a copy, as the last answer told them; empty where nobody asks for it.
        self.backups = b""


class Learned:
    def __init__(self, ttl: float, limit: int) -> None:
        self._ttl = ttl
        self._limit = limit
        self._bindings: dict[str, Binding] = {}
        self._queue: deque[str] = deque()
        self.evicted = 0

    def __len__(self) -> int:
        return len(self._bindings)

    def get(self, session: str, now: float) -> Binding | None:
        """The session's binding, which counts as a use of it."""
        binding = self._bindings.get(session)
        if binding is None or now - binding.used > self._ttl:
            return None
        binding.used = now
        return binding

    def peek(self, session: str, now: float) -> Binding | None:
        """The same without using it: to look is not to be there."""
        binding = self._bindings.get(session)
        return None if binding is None or now - binding.used > self._ttl else binding

    def bind(self, session: str, server: Server, now: float) -> None:
        binding = self._bindings.get(session)
        if binding is not None:
            binding.server.sessions -= 1
            binding.server, binding.used = server, now
        else:
            if len(self._bindings) >= self._limit:
                self._evict()
            self._bindings[session] = Binding(server, now)
            self._queue.append(session)
        server.sessions += 1

    def note_backups(self, session: str, server: Server, backups: bytes) -> None:
        """What an answer of ``server`` says; of no use when the session lives elsewhere."""
        binding = self._bindings.get(session)
        if binding is not None and binding.server is server:
            binding.backups = backups

    def forget_server(self, server: Server) -> int:
        """Untie all sessions of ``server``; how many those were."""
        sessions = [session for session, binding in self._bindings.items() if binding.server is server]
        for session in sessions:
            self._forget(session)
        self._queue = deque(session for session in self._queue if session in self._bindings)
        return len(sessions)

    def expire(self, now: float, budget: int = 1000) -> None:
        """Forget what was not used for ``ttl``: at most ``budget`` entries at a time."""
        for _ in range(min(budget, len(self._queue))):
            session = self._queue[0]
            binding = self._bindings[session]
            if now - binding.queued <= self._ttl:
                return
            self._queue.popleft()
            if now - binding.used > self._ttl:
                self._forget(session)
            else:
                self._requeue(session, binding)

    def page(self, now: float, *, server: Server | None, limit: int, after: str) -> list[tuple[str, Binding]]:
        """``limit`` live entries in order of their fingerprint, those that come behind ``after``."""
        found = (entry for entry in self._live(now, server) if entry[0] > after)
        return nsmallest(limit, found, key=lambda entry: entry[0])

    def count(self, now: float, server: Server | None) -> int:
        return sum(1 for _ in self._live(now, server))

    def _live(self, now: float, server: Server | None) -> Iterator[tuple[str, Binding]]:
        for session, binding in self._bindings.items():
            if now - binding.used <= self._ttl and server in (None, binding.server):
                yield session, binding

    def _evict(self) -> None:
        while self._queue:
            session = self._queue.popleft()
            binding = self._bindings[session]
            if binding.used > binding.queued:
                self._requeue(session, binding)
                continue
            self._forget(session)
            self.evicted += 1
            return

    def _requeue(self, session: str, binding: Binding) -> None:
        binding.queued = binding.used
        self._queue.append(session)

    def _forget(self, session: str) -> None:
        self._bindings.pop(session).server.sessions -= 1
