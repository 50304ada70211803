"""What is kept close and rebuilt: right from the first answer on, never a herd, never in the cart's way."""

from __future__ import annotations

import asyncio
import signal
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from services.cart import catalogue
from services.cart.config import Config
from services.cart.errors import StoreCut
from services.cart.model import Change, Verb
from services.cart.strategies.hybrid import Hybrid
from services.cart.strategies.protocol import Ask

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.net.cart.conftest import CartStore, Visit

PRICES = catalogue.load().prices
PHONE = Ask(Change(Verb.ADD, "iphone-15", 1))
NEW = replace(PHONE, create=True)


@pytest.fixture
def config(store_shared: CartStore, store_prefix: str) -> Config:
    return Config(strategy="hybrid", store_url=store_shared.url, store_prefix=store_prefix, store_timeout=20)


@pytest.fixture
async def two(config: Config) -> AsyncIterator[tuple[Hybrid, Hybrid]]:
    slow = replace(config, server_id="server-2", rebuild_limit=3, rebuild_delay=0.02)
    pair = Hybrid(config, PRICES), Hybrid(slow, PRICES)
    yield pair
    for each in pair:
        await each.close()


async def test_a_server_that_gets_a_session_rebuilds_it_once_and_the_cart_is_right_at_once(
    two: tuple[Hybrid, Hybrid],
) -> None:
    here, there = two
    known = await here.change("a", NEW)
    first, second = await there.read("a"), await there.read("a")
    assert (first.origin, second.origin) == ("rebuilt", "local")
    assert first.cart == known.cart
    assert first.hot == known.hot, "it can all be made from the cart"
    assert there.figures()["rebuilt"] == 1


async def test_many_requests_of_one_session_share_one_rebuild(two: tuple[Hybrid, Hybrid]) -> None:
    here, there = two
    await here.change("a", NEW)
    answers = await asyncio.gather(*(there.read("a") for _ in range(20)))
    assert {answer.origin for answer in answers} == {"rebuilt"}
    assert there.figures()["rebuilt"] == 1


async def test_a_herd_is_rebuilt_a_few_at_a_time(two: tuple[Hybrid, Hybrid]) -> None:
    here, there = two
    sessions = [f"session-{number}" for number in range(30)]
    for session in sessions:
        await here.change(session, NEW)
    await asyncio.gather(*(there.read(session) for session in sessions))
    figures = there.figures()
    assert (figures["rebuilt"], figures["rebuilding_most"], figures["rebuilding"]) == (30, 3, 0)


async def test_who_would_wait_too_long_gets_the_cart_without(config: Config) -> None:
    here, slow = Hybrid(config, PRICES), Hybrid(replace(config, rebuild_delay=20, store_timeout=1), PRICES)
    cart = (await here.change("a", NEW)).cart
    answer = await slow.read("a")
    assert (answer.cart, answer.hot, answer.origin) == (cart, None, "store")
    assert slow.figures()["without_hot"] == 1
    for each in (here, slow):
        await each.close()


async def test_what_a_server_remembers_of_an_old_epoch_is_made_anew(two: tuple[Hybrid, Hybrid]) -> None:
    here, there = two
    await here.change("a", NEW)
    await there.change("a", Ask(Change(Verb.ADD, "macbook-pro", 1)))
    back = await here.read("a")
    assert back.origin == "rebuilt"
    assert back.hot
    assert "macbook-pro" in back.hot.seen


async def test_recommendations_come_over_http_from_every_strategy(config: Config, cart_visit: Visit) -> None:
    for each in (config, Config()):
        async with cart_visit(each) as client:
            assert (await client.get("/recommendations")).status_code == 200
            await client.post("/cart/add", json={"item": "iPhone 15"})
            answer = (await client.get("/recommendations")).json()
            assert answer["recommended"][0] == "iPhone 15 Case"
            assert "iPhone 15" not in answer["recommended"]


async def test_the_cart_has_a_deadline_of_its_own_and_what_missed_it_is_never_made(
    store_own: CartStore,
) -> None:
    config = Config(strategy="hybrid", store_url=store_own.url, store_timeout=20, critical_deadline=0.5)
    here = Hybrid(config, PRICES)
    await here.change("a", NEW)
    store_own.signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        with pytest.raises(StoreCut) as cut:
            await here.change("a", PHONE)
        assert time.monotonic() - began < 10
        assert cut.value.attempted
        while time.monotonic() < began + 2 * config.critical_deadline:  # the store wakes after the deadline
            await asyncio.sleep(0.01)
    finally:
        store_own.signal(signal.SIGCONT)
    later = Hybrid(replace(config, critical_deadline=0), PRICES)
    assert (await later.read("a")).cart.quantity("iphone-15") == 1
    for each in (here, later):
        await each.close()
