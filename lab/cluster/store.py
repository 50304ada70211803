"""The store of a stateless arm: our own, or one that somebody else runs.

Our own listens on a unix socket in a folder that only this user can enter, and on no port at all:
there is nothing to collide with and nothing to protect. Its data lies beside the socket and goes
with it. In somebody else's, every key of ours begins with a prefix that nobody else has.
"""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from lab.cluster.child import Program
from lab.cluster.errors import NoStore, ended_with
from lab.cluster.ports import StoreFigures
from lab.errors import EnvironmentProblem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.cluster.child import Child
    from lab.cluster.family import Family
    from lab.cluster.store_binary import Binary

_READY_WITHIN = 15.0
_JOINED_WITHIN = 3.0
_LOOK_AGAIN = 0.01
_KEYS_AT_ONCE = 500
_USUAL_POLICY = "noeviction"
#: What a store that is absent, refuses, or has a malformed URL looks like.
_NO_ANSWER = (RedisError, OSError, ValueError)


@dataclass(frozen=True, slots=True)
class Store:
    """A store that answers. ``version`` is for people: ``redis 7.0.15 (/usr/bin/redis-server)``."""

    url: str = field(repr=False)  # it may hold a password
    prefix: str
    version: str
    is_ours: bool
    child: Child | None = field(default=None, repr=False)

    async def forget(self) -> None:
        """Take our keys, and no others, out of a store that outlives us."""
        if self.is_ours:
            return
        with suppress(*_NO_ANSWER):  # then they expire by themselves
            await self._delete_keys()

    async def limit(self, share: float, policy: str) -> None:
        """Grant it so little memory that ``share`` of its data has no room; ``policy`` is its own word."""
        child_of(self)  # in a store that somebody else runs, this would hit their keys
        async with _client(self.url) as client:
            used = await client.memory_stats()
            room = int(used["total.allocated"] - share * used["dataset.bytes"])
            await client.config_set("maxmemory-policy", policy)
            await client.config_set("maxmemory", max(room, 1))

    async def unlimit(self) -> None:
        async with _client(self.url) as client:
            await client.config_set("maxmemory", 0)
            await client.config_set("maxmemory-policy", _USUAL_POLICY)

    def log_file(self) -> Path:
        """Where it appends what it does (AOF); of several parts, the one that grows."""
        child_of(self)
        folder = Path(urlsplit(self.url).path).parent
        parts = sorted(
            folder.glob("appendonlydir/*.incr.aof"), key=lambda part: int(part.name.split(".")[-3])
        )
        found = parts[-1:] or list(folder.glob("appendonly.aof"))
        if not found:
            raise EnvironmentProblem(f"The store should keep a log in {folder}; there is none.")
        return found[0]

    async def figures(self) -> StoreFigures:
        """What it counted since it started, and how many of our keys would stay for ever."""
        async with _client(self.url) as client:
            stats, memory = await client.info("stats"), await client.info("memory")
            keys = [key async for key in client.scan_iter(match=f"{self.prefix}*", count=_KEYS_AT_ONCE)]
            lasting = sum([await client.pttl(key) == -1 for key in keys])
        return StoreFigures(
            # Not its commands: it counts those within a script too.
            messages=int(stats["total_reads_processed"]) + int(stats["total_writes_processed"]),
            bytes_in=int(stats["total_net_input_bytes"]),
            bytes_out=int(stats["total_net_output_bytes"]),
            memory=int(memory["used_memory"]),
            keys=len(keys),
            keys_without_ttl=lasting,
        )

    async def _delete_keys(self) -> None:
        async with _client(self.url) as client:
            keys = [key async for key in client.scan_iter(match=f"{self.prefix}*", count=_KEYS_AT_ONCE)]
            for first in range(0, len(keys), _KEYS_AT_ONCE):
                await client.unlink(*keys[first : first + _KEYS_AT_ONCE])


async def start(family: Family, binary: Binary, name: str, *, keeps_log: bool = True) -> Store:
    """Start our own, in the family's den; returns when it answers."""
    folder = family.den / name
    folder.mkdir()
    log = (family.logs / f"{name}.log").absolute()
    url = f"unix://{folder / 'sock'}"
    child, version = await _started(
        family, program(binary, name, folder / "sock", log, keeps_log=keeps_log), url
    )
    return Store(url, "cart:", f"{version} ({binary})", is_ours=True, child=child)


async def start_again(family: Family, store: Store) -> Store:
    """The same store after its end, with what its log kept; returns when it answers."""
    child, _ = await _started(family, child_of(store).program, store.url)
    return replace(store, child=child)


def child_of(store: Store) -> Child:
    """The process, which only a store of our own has."""
    if store.child is None:
        raise EnvironmentProblem(
            "The store was given by --redis-url; the lab breaks only what it started itself. "
            "Leave the flag out to have one that may be killed."
        )
    return store.child


async def _started(family: Family, program: Program, url: str) -> tuple[Child, str]:
    child = await family.start(program)
    try:
        async with asyncio.timeout(_READY_WITHIN):
            version = await _first_answer(url, child)
    except TimeoutError:
        raise child.cannot_start(f"it did not answer at {url} within {_READY_WITHIN:g} s") from None
    family.needs(child)
    return child, version


async def join(url: str) -> Store:
    """Use a server that somebody else runs."""
    try:
        async with asyncio.timeout(_JOINED_WITHIN):
            version = await _ask_version(url)
    except (*_NO_ANSWER, TimeoutError) as problem:
        reason = str(problem) or f"no answer within {_JOINED_WITHIN:g} s"
        raise NoStore(
            f"--redis-url was given, but that store cannot be used: {reason}. "
            "Check that it runs, and its host, port and password; or leave the flag out."
        ) from None
    return Store(url, f"cartlab:{secrets.token_hex(6)}:", f"{version} (given by --redis-url)", is_ours=False)


def program(binary: Binary, name: str, socket: Path, log: Path, *, keeps_log: bool = True) -> Program:
    """Durable enough that a killed store comes back with every acknowledged write, unless it keeps no log."""
    settings = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(socket.parent),
        "appendonly": "yes" if keeps_log else "no",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": _USUAL_POLICY,
        "logfile": str(log),
    }
    flags = [word for key, value in settings.items() for word in (f"--{key}", value)]
    return Program(name=name, argv=[str(binary.path), *flags], log=log)


def version_in(info: Mapping[str, str]) -> str:
    """Valkey calls itself Redis 7.2.4 for old clients; its own field tells the truth."""
    if "valkey_version" in info:
        return f"valkey {info['valkey_version']}"
    return f"redis {info.get('redis_version', 'of unknown version')}"


async def _first_answer(url: str, child: Child) -> str:
    while True:
        try:
            return await _ask_version(url)
        except _NO_ANSWER:
            if not child.is_running:
                raise child.cannot_start(ended_with(await child.wait())) from None
            await asyncio.sleep(_LOOK_AGAIN)


async def _ask_version(url: str) -> str:
    async with _client(url) as client:
        return version_in(await client.info("server"))


def _client(url: str) -> Redis:
    # Its ten silent retries would hide that the store is not there yet.
    return Redis.from_url(url, retry=Retry(NoBackoff(), 0), decode_responses=True)
