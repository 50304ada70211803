from __future__ import annotations

import asyncio

import pytest

from lab.alongside import alongside
from lab.errors import HealingFailed


async def forever() -> None:
    await asyncio.Event().wait()


async def fail() -> None:
    raise ConnectionError("the site is gone")


async def test_what_runs_alongside_ends_with_the_block() -> None:
    async with alongside(forever()) as (job,):
        await asyncio.sleep(0)
        assert not job.done()
    assert job.cancelled()


async def test_a_job_that_fails_ends_the_block_with_its_own_error() -> None:
    with pytest.raises(ConnectionError, match="gone"):
        async with alongside(fail(), forever()):
            await forever()


async def test_an_error_of_the_block_comes_out_as_itself() -> None:
    with pytest.raises(HealingFailed):
        async with alongside(forever()), alongside(forever()):
            raise HealingFailed("server-2 stays away")


async def test_cancelling_the_block_is_a_cancellation() -> None:
    async def run() -> None:
        async with alongside(forever()):
            await forever()

    task = asyncio.create_task(run())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
