"""Copies of carts on servers: never shown when they are old, and no server writes from one."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from services.cart.config import Config
from services.cart.errors import NoSuchSession, StoreCut
from services.cart.model import Change, Verb
from services.cart.strategies.in_store import CartsInStore, Fenced, Owner
from services.cart.strategies.protocol import Ask
from services.cart.strategies.write_through import WriteThrough

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.net.cart.conftest import CartStore, Visit

PRICES = {"tea": 350, "jam": 1_999}
TEA = Ask(Change(Verb.ADD, "tea", 1))
NEW = replace(TEA, create=True)


@pytest.fixture
def config(store_shared: CartStore, store_prefix: str) -> Config:
    return Config(strategy="write_through", store_url=store_shared.url, store_prefix=store_prefix)


@pytest.fixture
async def two(config: Config) -> AsyncIterator[tuple[WriteThrough, WriteThrough]]:
    pair = WriteThrough(config, PRICES), WriteThrough(replace(config, server_id="server-2"), PRICES)
    yield pair
    for each in pair:
        await each.close()


async def test_a_second_read_is_of_the_copy_and_a_first_elsewhere_of_the_store(
    two: tuple[WriteThrough, WriteThrough],
) -> None:
    here, there = two
    await here.change("a", NEW)
    assert (await here.read("a")).origin == "local"
    assert [(await there.read("a")).origin for _ in range(2)] == ["store", "local"]


async def test_a_server_that_comes_back_shows_no_cart_of_before(
    two: tuple[WriteThrough, WriteThrough],
) -> None:
    """The shopper went from here to there and back; here still holds its old copy."""
    here, there = two
    await here.change("a", NEW)
    latest = await there.change("a", TEA)
    assert (await here.read("a")).cart == latest.cart
    assert here.figures()["reads_loaded"] == 1


async def test_a_change_from_an_old_copy_is_fenced_off_then_done_on_the_new(
    two: tuple[WriteThrough, WriteThrough],
) -> None:
    here, there = two
    await here.change("a", NEW)
    await there.change("a", TEA)
    third = await here.change("a", TEA)
    assert here.figures()["fenced"] == 1
    assert (third.cart.quantity("tea"), third.cart.revision) == (3, 3)
    assert (await there.read("a")).cart == (await here.read("a")).cart == third.cart


async def test_the_store_itself_refuses_an_old_epoch_and_writes_nothing(config: Config) -> None:
    carts = CartsInStore(config, PRICES)
    _, first = await carts.change("a", NEW, Owner("server-1", 0, claims=True))
    _, second = await carts.change("a", TEA, Owner("server-2", 0, claims=True))
    assert second == first + 1
    before = await carts.read("a")
    for verb in (Verb.ADD, Verb.PUT, Verb.REMOVE, Verb.CHECKOUT):
        with pytest.raises(Fenced):
            await carts.change("a", Ask(Change(verb, "tea", 1)), Owner("server-1", first))
    assert await carts.read("a") == before
    await carts.close()


async def test_a_session_that_expired_leaves_no_copy(
    two: tuple[WriteThrough, WriteThrough], store_shared: CartStore, store_prefix: str
) -> None:
    here, _ = two
    await here.change("a", NEW)
    with store_shared.client() as store:
        store.delete(f"{store_prefix}s:{{a}}")
    for attempt in (here.read("a"), here.change("a", TEA)):
        with pytest.raises(NoSuchSession):
            await attempt
    assert here.figures()["copies"] == 0


async def test_copies_are_bounded(config: Config) -> None:
    here = WriteThrough(replace(config, max_sessions=3), PRICES)
    for session in "abcde":
        await here.change(session, NEW)
    assert here.figures()["copies"] == 3
    assert (await here.read("a")).cart.quantity("tea") == 1
    await here.close()


async def test_without_the_store_a_copy_is_shown_and_says_that_nobody_confirmed_it(
    store_own: CartStore, cart_visit: Visit
) -> None:
    config = Config(strategy="write_through", store_url=store_own.url, store_timeout=0.3)
    async with cart_visit(config) as client:
        await client.post("/cart/add", json={"item": "iPhone 15"})
        confirmed = await client.get("/cart")
        assert "X-Session-Verified" not in confirmed.headers
        store_own.kill()
        shown = await client.get("/cart")
        assert (shown.status_code, shown.json()) == (200, confirmed.json())
        assert shown.headers["X-Session-Verified"] == "no"
        refused = await client.post("/cart/add", json={"item": "iPhone 15"})
        assert (refused.status_code, "Set-Cookie" in refused.headers) == (503, False)
        assert (await client.get("/ready")).status_code == 200
        store_own.start()


async def test_a_change_that_waited_in_a_frozen_store_is_not_done_later(store_own: CartStore) -> None:
    config = Config(strategy="write_through", store_url=store_own.url, store_timeout=0.3)
    here = WriteThrough(config, PRICES)
    await here.change("a", NEW)
    store_own.signal(signal.SIGSTOP)
    try:
        loop = asyncio.get_running_loop()
        told = loop.time()
        with pytest.raises(StoreCut):
            await here.change("a", TEA)
        while loop.time() < told + 3 * config.store_timeout:
            await asyncio.sleep(0.05)
    finally:
        store_own.signal(signal.SIGCONT)
    async with asyncio.timeout(20):
        while not (found := await here.read("a")).verified:
            await asyncio.sleep(0.01)
    assert found.cart.quantity("tea") == 1
    await here.close()
