"""Calls to the store that travel together: each gets its own answer, and none is left behind."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest
from redis.asyncio.connection import BlockingConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as ConnectionBroke
from redis.exceptions import ResponseError

from services.cart.couriers import Call, Couriers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.net.cart.conftest import CartStore

WITHIN = 20.0


@pytest.fixture
async def pool(store_shared: CartStore) -> AsyncIterator[BlockingConnectionPool]:
    pool = BlockingConnectionPool.from_url(store_shared.url, max_connections=3, decode_responses=True)
    yield pool
    await pool.aclose()


async def asked(couriers: Couriers, *command: str | int) -> object:
    call = Call(command)
    couriers.carry(call)
    async with asyncio.timeout(WITHIN):
        return await call.answer


async def test_answers_come_to_those_who_asked(pool: BlockingConnectionPool) -> None:
    couriers = Couriers(pool, most=3, timeout=WITHIN)
    words = [f"word {number}" for number in range(500)]
    assert await asyncio.gather(*(asked(couriers, "ECHO", word) for word in words)) == words
    await couriers.close()


async def test_a_refusal_is_of_one_call_alone(pool: BlockingConnectionPool) -> None:
    couriers = Couriers(pool, most=3, timeout=WITHIN)
    calls = (asked(couriers, *command) for command in (("ECHO", "a"), ("NO-SUCH",), ("ECHO", "b")))
    first, refused, last = await asyncio.gather(*calls, return_exceptions=True)
    assert (first, last) == ("a", "b")
    assert isinstance(refused, ResponseError)
    await couriers.close()


async def test_a_call_that_comes_when_a_courier_has_just_ended_is_carried(
    pool: BlockingConnectionPool,
) -> None:
    couriers = Couriers(pool, most=1, timeout=WITHIN)
    began = time.monotonic()
    for number in range(300):
        # The next call is made in the very step in which the answer came, when nobody waits any more.
        assert await asked(couriers, "ECHO", number) == str(number)
    assert time.monotonic() - began < WITHIN
    await couriers.close()


async def test_who_waits_no_more_is_not_sent(pool: BlockingConnectionPool) -> None:
    couriers = Couriers(pool, most=1, timeout=WITHIN)
    under_way, given_up = Call(("ECHO", "a")), Call(("ECHO", "b"))
    couriers.carry(under_way)
    await asyncio.sleep(0)
    couriers.carry(given_up)
    given_up.answer.cancel()
    assert await under_way.answer == "a"
    assert await asked(couriers, "ECHO", "c") == "c"
    assert not given_up.was_sent
    await couriers.close()


async def test_a_broken_connection_fails_all_that_was_on_it_and_says_that_it_was_sent() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(64)
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as sick:
        port = sick.sockets[0].getsockname()[1]
        pool = BlockingConnectionPool.from_url(f"redis://127.0.0.1:{port}", retry=Retry(NoBackoff(), 0))
        couriers = Couriers(pool, most=1, timeout=WITHIN)
        calls = [Call(("ECHO", word)) for word in "abc"]
        for call in calls:
            couriers.carry(call)
        for call in calls:
            with pytest.raises(ConnectionBroke):
                await asyncio.wait_for(call.answer, WITHIN)
        await couriers.close()
        await pool.aclose()
