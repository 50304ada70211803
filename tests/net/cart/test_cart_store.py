"""What stands in the store, and what a shopper sees when the store is not well."""

from __future__ import annotations

import asyncio
import signal
import time
from typing import TYPE_CHECKING

import pytest
from redis.exceptions import OutOfMemoryError

from services.cart.config import Config
from services.cart.session import COOKIE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx
    from redis import Redis

    from tests.net.cart.conftest import CartStore, Visit

PHONE = {"item": "iPhone 15", "price": 1200}
TTL = 100
WINDOW = 50


@pytest.fixture
def config(store_shared: CartStore, store_prefix: str) -> Config:
    return _config(store_shared, store_prefix)


@pytest.fixture
async def client(config: Config, cart_visit: Visit) -> AsyncIterator[httpx.AsyncClient]:
    async with cart_visit(config) as client:
        yield client


def _config(store: CartStore, prefix: str = "", timeout: float = 1.0) -> Config:
    return Config(
        strategy="stateless",
        store_url=store.url,
        store_prefix=prefix,
        store_timeout=timeout,
        session_ttl=TTL,
        op_window=WINDOW,
    )


async def add(client: httpx.AsyncClient, key: str = "") -> httpx.Response:
    return await client.post("/cart/add", json=PHONE, headers={"Idempotency-Key": key} if key else {})


def pieces(answer: httpx.Response) -> int:
    assert answer.status_code == 200, answer.text
    return sum(line["quantity"] for line in answer.json()["cart"])


class TestWhatStandsThere:
    async def test_every_key_has_a_time_to_live(
        self, client: httpx.AsyncClient, store_shared: CartStore, store_prefix: str
    ) -> None:
        await add(client, "k")
        await client.put("/cart/items/pixel-9", json={"quantity": 2})
        await client.delete("/cart/items/pixel-9")
        await client.post("/checkout", headers={"Idempotency-Key": "buy"})
        await add(client)
        await client.get("/cart")
        with store_shared.client() as store:
            keys = sorted(store.scan_iter(f"{store_prefix}*"))
            left = {key.rpartition("}")[2]: store.ttl(key) for key in keys}
            mine = _cart_key(store, store_prefix).rpartition("}")[2]
        assert len(left) == 4
        assert 0 < left.pop(mine) <= TTL
        assert 0 < left.pop(":op:k") <= WINDOW
        assert 0 < left.pop(":op:buy") <= WINDOW
        (order,) = left.values()
        assert order > TTL

    async def test_a_read_writes_only_when_a_tenth_of_the_time_is_gone(
        self, client: httpx.AsyncClient, store_shared: CartStore, store_prefix: str
    ) -> None:
        await add(client)
        with store_shared.client() as store:
            key = _cart_key(store, store_prefix)
            store.pexpire(key, TTL * 1_000 - 5_000)
            await client.get("/cart")
            assert store.pttl(key) <= TTL * 1_000 - 5_000
            store.pexpire(key, TTL * 1_000 - 11_000)
            await client.get("/cart")
            assert store.pttl(key) > TTL * 1_000 - 5_000

    async def test_an_expired_cart_is_not_revived_under_its_old_id(
        self, client: httpx.AsyncClient, store_shared: CartStore, store_prefix: str
    ) -> None:
        old = (await add(client)).cookies[COOKIE]
        with store_shared.client() as store:
            key = _cart_key(store, store_prefix)
            store.delete(key)
            answer = await add(client)
            assert answer.headers["X-Session-Origin"] == "new"
            assert answer.cookies[COOKIE] != old
            assert pieces(answer) == 1
            assert not store.exists(key)

    @pytest.mark.parametrize("method", ["read", "change"])
    async def test_no_touch_keeps_a_cart_beyond_its_last_moment(
        self, client: httpx.AsyncClient, store_shared: CartStore, store_prefix: str, method: str
    ) -> None:
        await add(client)
        with store_shared.client() as store:
            key = _cart_key(store, store_prefix)
            store.hset(key, "_end", 1)
            store.pexpire(key, 50_000)
            if method == "read":
                assert pieces(await client.get("/cart")) == 0
            else:
                assert (await add(client)).headers["X-Session-Origin"] == "new"
            assert not store.exists(key)

    @pytest.mark.parametrize("path", ["/cart", "/cart/add"])
    async def test_a_layout_of_a_newer_release_is_left_untouched(
        self, client: httpx.AsyncClient, store_shared: CartStore, store_prefix: str, path: str
    ) -> None:
        await add(client)
        with store_shared.client() as store:
            key = _cart_key(store, store_prefix)
            store.hset(key, "_v", 99)
            before = store.hgetall(key)
            answer = await (client.get(path) if path == "/cart" else add(client))
            assert answer.status_code == 503
            assert "newer" in answer.json()["message"]
            assert store.hgetall(key) == before

    async def test_a_store_that_forgot_the_scripts_gets_them_again(
        self, client: httpx.AsyncClient, store_shared: CartStore
    ) -> None:
        await add(client)
        with store_shared.client() as store:
            store.script_flush()
        assert pieces(await add(client)) == 2
        with store_shared.client() as store:
            store.script_flush()
        assert pieces(await client.get("/cart")) == 2

    async def test_two_servers_never_overwrite_each_other(self, config: Config, cart_visit: Visit) -> None:
        async with cart_visit(config) as one, cart_visit(config) as two:
            await add(one)
            two.cookies = one.cookies
            both = (one, two) * 50
            answers = await asyncio.gather(*(add(client, str(n)) for n, client in enumerate(both)))
            assert {answer.status_code for answer in answers} == {200}
            assert pieces(await one.get("/cart")) == pieces(await two.get("/cart")) == 101

    async def test_more_requests_than_connections_wait_their_turn(
        self, store_shared: CartStore, store_prefix: str, cart_visit: Visit
    ) -> None:
        config = Config(
            strategy="stateless",
            store_url=store_shared.url,
            store_prefix=store_prefix,
            store_connections=2,
            store_timeout=20,
        )
        async with cart_visit(config) as client:
            await add(client)
            answers = await asyncio.gather(*(add(client) for _ in range(200)))
            assert {answer.status_code for answer in answers} == {200}
            assert pieces(await client.get("/cart")) == 201
            with store_shared.client() as store:
                users = [each for each in store.client_list() if each["cmd"].startswith("evalsha")]
            assert len(users) <= 2


class TestAStoreThatIsNotWell:
    """Never an empty cart, never another cookie; and the answer tells whether to try again blindly."""

    async def test_a_dead_store_is_503_and_surely_nothing_was_written(
        self, store_own: CartStore, cart_visit: Visit
    ) -> None:
        async with cart_visit(_config(store_own)) as client:
            await add(client)
            store_own.kill()
            # Whether these bytes still left is not known; that the store is cut, is.
            assert (await add(client)).status_code == 503
            assert (await client.get("/ready")).status_code == 503
            for answer in (await client.get("/cart"), await add(client), await client.post("/checkout")):
                _refused(answer, attempted=False)
            assert (await client.get("/health")).status_code == 200
            store_own.start()
            await _until(client, ready=True)
            assert pieces(await client.get("/cart")) == 1

    async def test_nothing_is_tried_again_behind_anybodys_back(self, cart_visit: Visit) -> None:
        tries = 0

        async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal tries
            tries += 1
            writer.close()
            await writer.wait_closed()

        async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as sick:
            port = sick.sockets[0].getsockname()[1]
            config = Config(strategy="stateless", store_url=f"redis://127.0.0.1:{port}", store_timeout=20)
            async with cart_visit(config) as client:
                _refused(await add(client), attempted=False)
        assert tries == 1

    async def test_a_frozen_store_is_503_within_the_budget_and_nobody_knows(
        self, store_own: CartStore, cart_visit: Visit
    ) -> None:
        async with cart_visit(_config(store_own, timeout=0.3)) as client:
            await add(client)
            store_own.signal(signal.SIGSTOP)
            try:
                began = time.monotonic()
                answers = await asyncio.gather(*(add(client, str(n)) for n in range(40)), client.get("/cart"))
                took = time.monotonic() - began
                await _until(client, ready=False)
            finally:
                store_own.signal(signal.SIGCONT)
            assert took < 5
            assert {answer.status_code for answer in answers} == {503}
            unknown = [answer for answer in answers if "X-Write" not in answer.headers]
            assert unknown, "who had a connection cannot know"
            await _until(client, ready=True)
            assert 1 <= pieces(await client.get("/cart")) <= 1 + len(unknown)

    async def test_a_key_tells_after_all_whether_it_happened(
        self, store_own: CartStore, cart_visit: Visit
    ) -> None:
        async with cart_visit(_config(store_own, timeout=0.3)) as client:
            await add(client)
            store_own.signal(signal.SIGSTOP)
            try:
                assert (await add(client, "k")).status_code == 503
            finally:
                store_own.signal(signal.SIGCONT)
            await _until(client, ready=True)
            assert pieces(await add(client, "k")) == 2
            assert pieces(await client.get("/cart")) == 2

    async def test_a_full_store_refuses_all_of_a_change_and_says_so(
        self, store_own: CartStore, cart_visit: Visit
    ) -> None:
        async with cart_visit(_config(store_own)) as client:
            await add(client)
            before = _all_keys(store_own)
            with store_own.client() as store:
                store.config_set("maxmemory", "1")
                with pytest.raises(OutOfMemoryError):
                    store.set("anything", "more")
                for answer in (
                    await add(client, "k"),
                    await client.delete("/cart/items/iphone-15"),
                    await client.post("/checkout", headers={"Idempotency-Key": "b"}),
                ):
                    _refused(answer, attempted=False)
                assert pieces(await client.get("/cart")) == 1
                store.config_set("maxmemory", "0")
            assert _all_keys(store_own) == before
            assert pieces(await add(client, "k")) == 2

    async def test_a_store_that_wants_replicas_refuses_before_it_writes(
        self, store_own: CartStore, cart_visit: Visit
    ) -> None:
        async with cart_visit(_config(store_own)) as client:
            await add(client)
            with store_own.client() as store:
                store.config_set("min-replicas-to-write", "1")
            _refused(await add(client), attempted=False)
            assert pieces(await client.get("/cart")) == 1


def _refused(answer: httpx.Response, *, attempted: bool) -> None:
    assert answer.status_code == 503
    assert answer.json()["error"] == "store_unavailable"
    assert answer.headers["Retry-After"] == "1"
    assert answer.headers.get("X-Write") == (None if attempted else "not-attempted")
    assert "Set-Cookie" not in answer.headers
    assert "cart" not in answer.json()


async def _until(client: httpx.AsyncClient, *, ready: bool) -> None:
    async with asyncio.timeout(20):
        while (answer := await client.get("/ready")).is_success != ready:
            await asyncio.sleep(0.01)
    if not ready:
        assert (answer.status_code, answer.json()["error"]) == (503, "store_unavailable")


def _cart_key(store: Redis, prefix: str) -> str:
    (key,) = (key for key in store.scan_iter(f"{prefix}s:*") if ":" not in key.rpartition("}")[2])
    return str(key)


def _all_keys(store: CartStore) -> dict[str, object]:
    with store.client() as client:
        return {key: client.dump(key) for key in client.scan_iter("*")}
