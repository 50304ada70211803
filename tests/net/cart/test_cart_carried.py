"""The cart in its shopper's cookie: what it withstands, and what it cannot."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import httpx
import pytest

from services.cart.config import Config
from services.cart.errors import BadCart, CartRolledBack, NoSuchSession
from services.cart.model import Change, Verb
from services.cart.session import CARRIED, COOKIE
from services.cart.strategies.client_cookie import ClientCookie
from services.cart.strategies.protocol import Answer, Ask
from services.cart.strategies.sealed import CLOCK_TOLERANCE

if TYPE_CHECKING:
    from tests.net.cart.conftest import CartStore, Visit

TEA = Ask(Change(Verb.ADD, "tea", 1))
CARRIES = Config(strategy="client_cookie", session_ttl=100, session_max=300)


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def server(config: Config = CARRIES, clock: Clock | None = None) -> ClientCookie:
    return ClientCookie(config, {"tea": 350, "jam": 1_999}, clock or Clock())


async def change(at: ClientCookie, carried: str = "", ask: Ask = TEA, session: str = "a") -> Answer:
    return await at.change(session, replace(ask, carried=carried, create=not carried))


def test_nothing_of_the_cart_can_be_read_in_it() -> None:
    first = asyncio.run(change(server()))
    assert "tea" not in first.carried


async def test_no_letter_of_it_can_be_changed() -> None:
    at = server()
    token = (await change(at)).carried
    for place in (*range(0, len(token), 7), *range(len(token) - 5, len(token))):
        letter = "A" if token[place] != "A" else "B"
        with pytest.raises(BadCart):
            await at.read("a", token[:place] + letter + token[place + 1 :])
    for cut in (token[:-1], token[: len(token) // 2], "x", "é", "=" * 5_000):
        with pytest.raises(BadCart):
            await at.read("a", cut)


async def test_that_of_one_session_opens_no_other() -> None:
    at = server()
    with pytest.raises(BadCart, match="another session"):
        await at.read("b", (await change(at, session="a")).carried)


async def test_an_older_secret_still_opens_and_seals_no_more() -> None:
    before, after = "the secret of last year", "the secret of this year"
    old = server(replace(CARRIES, secret=before))
    new = server(replace(CARRIES, secret=after, old_secrets=(before,)))
    token = (await change(old)).carried
    second = await change(new, token)
    assert second.cart.quantity("tea") == 2
    with pytest.raises(BadCart):
        await old.read("a", second.carried)


async def test_it_expires_idle_and_at_last_however_often_it_is_used(clock: Clock) -> None:
    at = server(clock=clock)
    token = (await change(at)).carried
    clock.now += 99
    read = await at.read("a", token)
    assert read.carried, "a read seals it again, to keep it alive"
    clock.now += 99
    with pytest.raises(NoSuchSession):
        await at.read("a", token)
    again = (await change(at, read.carried)).carried
    clock.now += 99
    again = (await change(at, again)).carried
    clock.now += 4
    with pytest.raises(NoSuchSession):
        await at.read("a", again)


async def test_a_read_a_moment_later_gives_no_new_one() -> None:
    at = server()
    token = (await change(at)).carried
    assert not (await at.read("a", token)).carried


async def test_a_clock_that_is_a_little_late_reads_it_and_one_far_off_says_why(clock: Clock) -> None:
    at = server(clock=clock)
    token = (await change(at)).carried
    clock.now -= CLOCK_TOLERANCE
    assert (await at.read("a", token)).cart.quantity("tea") == 1
    clock.now -= 60
    with pytest.raises(BadCart, match="clock is wrong") as problem:
        await at.read("a", token)
    assert not problem.value.clears


async def test_an_old_one_brings_the_old_cart_back() -> None:
    at = server()
    old = await change(at)
    await change(at, old.carried)
    assert (await at.read("a", old.carried)).cart == old.cart


async def test_a_change_without_an_answer_counts_once_when_sent_again_with_or_without_key() -> None:
    at = server()
    first = await change(at)
    for ask in (TEA, replace(TEA, key="k")):
        await change(at, first.carried, ask)  # its answer is lost
        assert (await change(at, first.carried, ask)).cart.quantity("tea") == 2


class TestOverHTTP:
    async def test_a_cart_that_would_not_fit_is_refused_before_it_is_sent(self, cart_visit: Visit) -> None:
        async with cart_visit(Config(strategy="client_cookie", cookie_max=400)) as client:
            items = [each["sku"] for each in (await client.get("/catalogue")).json()["items"]]
            seen = 0
            for item in items:
                answer = await client.post("/cart/add", json={"item": item})
                if answer.status_code != 200:
                    break
                seen += 1
            assert (answer.status_code, answer.json()["error"]) == (413, "cart_too_large")
            assert "Set-Cookie" not in answer.headers
            assert len((await client.get("/cart")).json()["cart"]) == seen
            assert len(client.cookies[CARRIED]) <= 400
            assert (await client.delete(f"/cart/items/{items[0]}")).status_code == 200
            assert (await client.post("/checkout")).status_code == 200

    async def test_the_whole_catalogue_fits_by_default(self, cart_visit: Visit) -> None:
        async with cart_visit(Config(strategy="client_cookie")) as client:
            for number, item in enumerate((await client.get("/catalogue")).json()["items"]):
                key = {"Idempotency-Key": f"key {number}"}
                wanted = {"item": item["item"], "quantity": 99}
                assert (await client.post("/cart/add", json=wanted, headers=key)).status_code == 200
            assert len(client.cookies[CARRIED]) < 3_000

    async def test_a_false_one_is_refused_and_cleared_and_the_session_stays(self, cart_visit: Visit) -> None:
        async with cart_visit(Config(strategy="client_cookie")) as client:
            await client.post("/cart/add", json={"item": "iPhone 15"})
            header = {"Cookie": f"{COOKIE}={client.cookies[COOKIE]}; {CARRIED}=of my own making"}
            client.cookies.clear()
            answer = await client.get("/cart", headers=header)
            assert (answer.status_code, answer.json()["error"]) == (400, "bad_cart_cookie")
            assert answer.headers["Set-Cookie"].startswith(f"{CARRIED}=; Path=/; Max-Age=0")


class TestRollbackRefused:
    @pytest.fixture
    def config(self, store_shared: CartStore, store_prefix: str) -> Config:
        return replace(CARRIES, rollback="refuse", store_url=store_shared.url, store_prefix=store_prefix)

    async def test_an_old_one_is_refused_by_every_server(self, config: Config) -> None:
        one, two = server(config), server(config)
        old = await change(one)
        new = await change(one, old.carried)
        for at in (one, two):
            with pytest.raises(CartRolledBack):
                await at.read("a", old.carried)
            with pytest.raises(CartRolledBack):
                await change(at, old.carried)
            assert (await at.read("a", new.carried)).cart == new.cart
        await one.close()
        await two.close()

    async def test_of_many_changes_of_one_cart_exactly_one_is_accepted(self, config: Config) -> None:
        at = server(config)
        old = await change(at)
        tries = [change(at, old.carried) for _ in range(20)]
        answers = await asyncio.gather(*tries, return_exceptions=True)
        assert [type(each) for each in answers].count(CartRolledBack) == 19
        await at.close()

    async def test_a_lost_answer_can_be_asked_for_again_with_its_key(self, config: Config) -> None:
        at = server(config)
        old = await change(at)
        ask = replace(TEA, key="k")
        lost = await change(at, old.carried, ask)
        again = await change(at, old.carried, ask)
        assert again.cart == lost.cart
        assert (await change(at, again.carried)).cart.quantity("tea") == 3
        with pytest.raises(CartRolledBack):
            await change(at, old.carried, ask)
        await at.close()

    async def test_its_promises_are_others(self, config: Config) -> None:
        at, free = server(config).promises, server().promises
        assert (free.never_stale, free.concurrent_adds, free.writes_without_store) == (False, False, True)
        assert (at.never_stale, at.concurrent_adds, at.writes_without_store) == (True, True, False)

    async def test_a_store_that_is_away_is_503(self, config: Config, cart_visit: Visit) -> None:
        async with cart_visit(replace(config, store_url="unix:///nowhere")) as client:
            answer = await client.post("/cart/add", json={"item": "iPhone 15"})
            assert isinstance(answer, httpx.Response)
            assert (answer.status_code, "Set-Cookie" in answer.headers) == (503, False)
