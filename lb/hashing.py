"""From a key to a server without remembering anything: four ways to do it, from bad to good.

Each is a table built once from the servers; ``walk(key)`` gives all of them, the key's own first, then
who stands in for it, and in for that one.

* ``mod``: the hash modulo the number of servers. The home-made way, kept for the lesson: when one
  server of N goes, all are numbered anew and most keys move, though their servers are well.
* ``ring``: each server has many points on a circle; a key belongs to the next point (ketama).
* ``rendezvous``: every server bids for the key with a hash of both; the highest bid wins.
* ``maglev``: servers take turns to claim slots of a table, each in an order of its own; one look-up.

Servers count by name, never by their place, so their order changes nothing. ``mod`` knows no weights.
"""

from __future__ import annotations

from bisect import bisect
from hashlib import blake2b
from math import log
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from lb.pool import Server

POINTS: Final = 160
#: A prime, some hundred times the servers there may be: claims come out even, and it is filled in a blink.
SLOTS: Final = 16_381
_RANGE: Final = 2**64


def hash_of(key: bytes, salt: bytes = b"") -> int:
    """64 bits, the same in every process and on every machine."""
    return int.from_bytes(blake2b(key, digest_size=8, key=salt).digest(), "big")


class Table(Protocol):
    def walk(self, key: bytes) -> Iterator[Server]: ...


class Mod:
    def __init__(self, servers: Iterable[Server]) -> None:
        self._servers = _by_name(servers)

    def walk(self, key: bytes) -> Iterator[Server]:
        start = hash_of(key) % max(1, len(self._servers))
        yield from self._servers[start:]
        yield from self._servers[:start]


class Ring:
    def __init__(self, servers: Iterable[Server]) -> None:
        points = sorted(
            (hash_of(f"{server.name}#{number}".encode()), server.name, server)
            for server in _weighted(servers)
            for number in range(POINTS * server.weight)
        )
        self._places = [place for place, _, _ in points]
        self._owners = [server for _, _, server in points]

    def walk(self, key: bytes) -> Iterator[Server]:
        start = bisect(self._places, hash_of(key))
        return _each_once(self._owners, start)


class Rendezvous:
    def __init__(self, servers: Iterable[Server]) -> None:
        self._bidders = [(server, blake2b(server.name.encode()).digest()) for server in _weighted(servers)]

    def walk(self, key: bytes) -> Iterator[Server]:
        bids = sorted((_bid(key, salt, server.weight), server.name, server) for server, salt in self._bidders)
        return (server for _, _, server in bids)


def _bid(key: bytes, salt: bytes, weight: int) -> float:
    """The lower the better: an exponential draw whose rate is the weight."""
    return -log((hash_of(key, salt) + 1) / _RANGE) / weight


class Maglev:
    def __init__(self, servers: Iterable[Server]) -> None:
        slots: list[Server | None] = [None] * SLOTS
        claims = [(server, _claims(server.name)) for server in _weighted(servers)]
        left = SLOTS if claims else 0
        while left:
            for server, order in claims:
                for _ in range(min(server.weight, left)):
                    slots[next(slot for slot in order if slots[slot] is None)] = server
                    left -= 1
        self._slots = [server for server in slots if server is not None]

    def walk(self, key: bytes) -> Iterator[Server]:
        return _each_once(self._slots, hash_of(key) % SLOTS)


def _claims(name: str) -> Iterator[int]:
    """All slots in an order of this server's own; without end, as a later claim may come to them again."""
    offset = hash_of(name.encode(), b"offset") % SLOTS
    skip = hash_of(name.encode(), b"skip") % (SLOTS - 1) + 1
    while True:
        yield offset
        offset = (offset + skip) % SLOTS


def _each_once(owners: Sequence[Server], start: int) -> Iterator[Server]:
    met: set[Server] = set()
    for number in range(len(owners)):
        server = owners[(start + number) % len(owners)]
        if server not in met:
            met.add(server)
            yield server


def _by_name(servers: Iterable[Server]) -> list[Server]:
    return sorted(servers, key=lambda server: server.name)


def _weighted(servers: Iterable[Server]) -> list[Server]:
    return [server for server in _by_name(servers) if server.weight]


TABLES: dict[str, Callable[[Iterable[Server]], Table]] = {
    "mod": Mod,
    "ring": Ring,
    "rendezvous": Rendezvous,
    "maglev": Maglev,
}
