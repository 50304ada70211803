"""Calls that wait at the same moment go to the store together: one way there and back for all.

A server under load has many requests in hand. One round trip for each is mostly waiting, and work
for the event loop; a courier that comes back takes along everything that has gathered meanwhile, in
order, on one connection. A lone call leaves at once and alone, so nobody waits for company.

Each call still gets its own answer or its own refusal. When a connection breaks, the calls that were
on it and unanswered have all been sent, and nobody knows what became of them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from redis.exceptions import ConnectionError as ConnectionBroke
from redis.exceptions import RedisError, ResponseError

if TYPE_CHECKING:
    from redis.asyncio.connection import AbstractConnection, BlockingConnectionPool

#: Calls on one way. More would hold up the store's other clients; beyond it a second courier sets out.
_BATCH = 64


@dataclass(slots=True, eq=False)
class Call:
    """``was_sent`` is False only while surely no byte of it left."""

    command: tuple[str | int, ...]
    answer: asyncio.Future[Any] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    was_sent: bool = False

    def settle(self, answer: Any) -> None:
        if not self.answer.done():
            self.answer.set_result(answer)

    def fail(self, problem: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(problem)


class Couriers:
    """At most ``most`` are under way, each on a connection of ``pool`` and for ``timeout`` seconds."""

    def __init__(self, pool: BlockingConnectionPool, *, most: int, timeout: float) -> None:
        self._pool = pool
        self._most = most
        self._timeout = timeout
        self._waiting: deque[Call] = deque()
        #: Not the tasks: one that has just ended is still among them, and would take nothing more along.
        self._walking = 0
        self._out: set[asyncio.Task[None]] = set()

    def carry(self, call: Call) -> None:
        self._waiting.append(call)
        if not self._walking or (len(self._waiting) > _BATCH and self._walking < self._most):
            self._walking += 1
            courier = asyncio.create_task(self._walk())
            self._out.add(courier)
            courier.add_done_callback(self._out.discard)

    async def close(self) -> None:
        for courier in self._out:
            courier.cancel()
        await asyncio.gather(*self._out, return_exceptions=True)

    async def _walk(self) -> None:
        try:
            while calls := self._take():
                try:
                    async with asyncio.timeout(self._timeout):
                        await self._deliver(calls)
                except (RedisError, OSError) as problem:
                    for call in calls:
                        call.fail(problem)
        finally:
            self._walking -= 1

    def _take(self) -> list[Call]:
        """Without those whose caller waits no more."""
        calls: list[Call] = []
        while self._waiting and len(calls) < _BATCH:
            call = self._waiting.popleft()
            if not call.answer.done():
                calls.append(call)
        return calls

    async def _deliver(self, calls: list[Call]) -> None:
        connection = await self._pool.get_connection()  # type: ignore[no-untyped-call]  # no hints in redis-py
        try:
            for call in calls:
                call.was_sent = True
            await connection.send_packed_command(connection.pack_commands([call.command for call in calls]))
            for call in calls:
                await _hear(connection, call)
        finally:
            await self._pool.release(connection)


async def _hear(connection: AbstractConnection, call: Call) -> None:
    """A refusal is this call's own; anything else ends the connection, and the others' answers with it."""
    try:
        call.settle(await connection.read_response())
    except ResponseError as refusal:
        call.fail(refusal)
    except RedisError as problem:
        call.fail(problem)
        raise ConnectionBroke(str(problem)) from problem
