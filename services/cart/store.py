"""One call to the store, in a bounded time, that says what is known when it fails.

A call has two phases. Getting a connection sends nothing of ours: when that fails, surely nothing
was written. After the first byte is sent, only an answer tells; silence may mean that the change
was made, or is still going to be. redis-py's own retries would blur the two (a first attempt may
have run although the last one was refused), so they are off: who retries here is the shopper or
the balancer, with a key.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from redis.asyncio.connection import BlockingConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ClusterDownError,
    MasterDownError,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)

from services.cart.config import BadSetting
from services.cart.couriers import Call, Couriers
from services.cart.errors import StoreCut

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.cart.config import Config

_log = logging.getLogger(__name__)
#: A store that answered so lately is there. Under load, a probe need not queue behind shoppers.
_RECENT = 0.5
#: The store answered, and the answer was no.
_REFUSED = (
    AuthenticationError,
    BusyLoadingError,
    ClusterDownError,
    MasterDownError,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
)
_REFUSED_WORDS = ("NOREPLICAS", "MISCONF")


@dataclass(frozen=True, slots=True)
class Script:
    """``sha`` is how the store knows a script that it has seen."""

    source: str
    sha: str

    @classmethod
    def of(cls, source: str) -> Script:
        return cls(source, hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest())


class Store:
    """``store_timeout`` bounds a whole call: the wait for a connection, the way there and back."""

    def __init__(self, config: Config) -> None:
        self._timeout = config.store_timeout
        self._heard = -_RECENT
        self._is_cut = False
        try:
            self._pool: BlockingConnectionPool = BlockingConnectionPool.from_url(
                config.store_url,
                password=config.store_password or None,
                max_connections=config.store_connections,
                timeout=None,
                socket_timeout=self._timeout,
                socket_connect_timeout=self._timeout,
                retry=Retry(NoBackoff(), 0),
                decode_responses=True,
            )
        except ValueError as problem:
            raise BadSetting("store_url", f"this is no store's URL: {problem}") from None
        self._couriers = Couriers(self._pool, most=config.store_connections, timeout=self._timeout)

    async def run(self, script: Script, keys: Sequence[str], *arguments: str | int) -> Any:
        """Run a script; one the store has forgotten (a restart does that) is sent in full."""
        tail = (len(keys), *keys, *arguments)
        try:
            return await self.call("EVALSHA", script.sha, *tail)
        except NoScriptError:
            return await self.call("EVAL", script.source, *tail)

    async def check(self) -> None:
        """Ask the store whether it is there, unless it has just answered somebody."""
        if self._is_cut or time.monotonic() - self._heard > _RECENT:
            await self.call("PING")

    async def close(self) -> None:
        await self._couriers.close()
        await self._pool.aclose()

    async def call(self, *command: str | int) -> Any:
        try:
            answer = await self._send(*command)
        except StoreCut as problem:
            if not self._is_cut:
                _log.warning("store cut: %s", problem)
            self._is_cut = True
            raise
        if self._is_cut:
            _log.info("store back")
        self._is_cut = False
        self._heard = time.monotonic()
        return answer

    async def _send(self, *command: str | int) -> Any:
        call = Call(command)
        try:
            async with asyncio.timeout(self._timeout):
                self._couriers.carry(call)
                return await call.answer
        except NoScriptError:
            raise
        except TimeoutError:
            message = f"The store did not answer within {self._timeout:g} s."
            raise StoreCut(message, attempted=call.was_sent) from None
        except (RedisError, OSError) as problem:
            message = f"The store cannot be used: {str(problem).rstrip('.')}."
            raise StoreCut(message, attempted=call.was_sent and not _is_refusal(problem)) from problem


def _is_refusal(problem: Exception) -> bool:
    return isinstance(problem, _REFUSED) or (
        isinstance(problem, ResponseError) and str(problem).startswith(_REFUSED_WORDS)
    )
