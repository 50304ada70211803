"""Login and logout: the id changes with who the shopper is, the cart comes along, the old id is dead."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from services.cart import strategies
from services.cart.config import Config
from services.cart.errors import NoSuchSession
from services.cart.model import Change, Verb
from services.cart.session import CARRIED, COOKIE, LINEAGE_LENGTH, Cookies
from services.cart.strategies.naive_blob import NaiveBlob
from services.cart.strategies.protocol import Ask, Login

if TYPE_CHECKING:
    import httpx

    from services.cart.strategies.protocol import Strategy
    from tests.net.cart.conftest import CartStore

PRICES = {"tea": 350, "jam": 1_999}
TEA = Ask(Change(Verb.ADD, "tea", 1))
NEW = replace(TEA, create=True)
ADA = Login("b", "Ada")


async def add(client: httpx.AsyncClient, item: str = "iPhone 15", **headers: str) -> httpx.Response:
    answer = await client.post("/cart/add", json={"item": item}, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer


async def log_in(client: httpx.AsyncClient, name: str = "Ada", key: str = "") -> httpx.Response:
    headers = {"Idempotency-Key": key} if key else {}
    return await client.post("/login", json={"name": name}, headers=headers)


def shown(answer: httpx.Response) -> dict[str, int]:
    assert answer.status_code == 200, answer.text
    return {line["item"]: line["quantity"] for line in answer.json()["cart"]}


def brought(client: httpx.AsyncClient) -> str:
    """What a copy of the shopper's cookies is, in the hands of whoever has it."""
    return "; ".join(f"{name}={value}" for name, value in client.cookies.items())


def forgets_nothing(config: Config) -> bool:
    """Nobody but the shopper has the cart, so nobody can tell an old cookie from the newest."""
    return config.strategy == "client_cookie"


async def test_a_login_gives_a_new_id_and_the_cart_comes_along(
    cart_client: httpx.AsyncClient, cart_config: Config
) -> None:
    before = (await add(cart_client)).cookies[COOKIE]
    answer = await log_in(cart_client)
    assert shown(answer) == {"iPhone 15": 1}
    assert answer.json()["shopper"] == "Ada"
    after = answer.cookies[COOKIE]
    assert after != before
    assert (CARRIED in answer.cookies) == forgets_nothing(cart_config)
    assert shown(await add(cart_client)) == {"iPhone 15": 2}
    seen = await cart_client.get("/cart")
    assert (shown(seen), seen.json()["shopper"]) == ({"iPhone 15": 2}, "Ada")
    assert COOKIE not in seen.cookies


async def test_the_old_id_is_dead_at_once(
    cart_client: httpx.AsyncClient, cart_other: httpx.AsyncClient, cart_config: Config
) -> None:
    await add(cart_client, **{"Idempotency-Key": "before"})
    planted = {"Cookie": brought(cart_client)}
    await log_in(cart_client)
    await add(cart_client, "Pixel 9")
    read = await cart_other.get("/cart", headers=planted)
    assert "shopper" not in read.json()
    if forgets_nothing(cart_config):
        assert shown(read) == {"iPhone 15": 1}  # what they had; nothing of what came after
        return
    assert (shown(read), read.headers["X-Session-Origin"]) == ({}, "none")
    again = await add(cart_other, **planted, **{"Idempotency-Key": "before"})
    assert again.headers["X-Session-Origin"] == "new"
    assert again.cookies[COOKIE] not in planted["Cookie"]
    bought = await cart_other.post("/checkout", headers=planted)
    assert bought.status_code == 410
    assert shown(await cart_client.get("/cart")) == {"iPhone 15": 1, "Pixel 9": 1}


async def test_a_key_counts_once_also_when_a_login_came_between(cart_client: httpx.AsyncClient) -> None:
    await add(cart_client)
    key = {"Idempotency-Key": str(uuid4())}
    await add(cart_client, **key)
    await log_in(cart_client)
    again = await add(cart_client, **key)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert shown(await cart_client.get("/cart")) == {"iPhone 15": 2}


async def test_a_login_whose_answer_was_lost_gets_the_same_cookie_with_its_key(
    cart_client: httpx.AsyncClient, cart_other: httpx.AsyncClient
) -> None:
    await add(cart_client)
    had, key = {"Cookie": brought(cart_client)}, str(uuid4())
    first = await log_in(cart_client, key=key)
    again = await cart_other.post("/login", json={"name": "Ada"}, headers={**had, "Idempotency-Key": key})
    assert (again.cookies[COOKIE], shown(again)) == (first.cookies[COOKIE], shown(first))


async def test_a_login_key_names_one_name_and_another_key_opens_nothing(
    cart_client: httpx.AsyncClient, cart_other: httpx.AsyncClient, cart_config: Config
) -> None:
    if forgets_nothing(cart_config):
        return
    await add(cart_client)
    had, key = {"Cookie": brought(cart_client)}, str(uuid4())
    await log_in(cart_client, key=key)
    eve = await cart_other.post("/login", json={"name": "Eve"}, headers={**had, "Idempotency-Key": key})
    assert (eve.status_code, eve.json()["error"]) == (422, "idempotency_key_reused")
    other = await cart_other.post(
        "/login", json={"name": "Ada"}, headers={**had, "Idempotency-Key": str(uuid4())}
    )
    assert (shown(other), other.headers["X-Session-Origin"]) == ({}, "new")


async def test_without_a_cart_a_login_starts_one(cart_client: httpx.AsyncClient) -> None:
    answer = await log_in(cart_client)
    assert (shown(answer), answer.json()["shopper"]) == ({}, "Ada")
    assert answer.headers["X-Session-Origin"] == "new"
    added = await add(cart_client)
    assert (shown(added), added.json()["shopper"]) == ({"iPhone 15": 1}, "Ada")


async def test_a_second_login_gives_another_id_and_the_last_name(cart_client: httpx.AsyncClient) -> None:
    await add(cart_client)
    ids = [(await log_in(cart_client, name)).cookies[COOKIE] for name in ("Ada", "Grace")]
    assert len(set(ids)) == 2
    assert (await cart_client.get("/cart")).json()["shopper"] == "Grace"


async def test_a_logout_ends_the_session_and_clears_the_cookies(
    cart_client: httpx.AsyncClient, cart_other: httpx.AsyncClient, cart_config: Config
) -> None:
    await add(cart_client, **{"Idempotency-Key": "before"})
    had = {"Cookie": brought(cart_client)}
    answer = await cart_client.post("/logout")
    assert (shown(answer), answer.json()["sessionId"]) == ({}, None)
    assert not cart_client.cookies
    if not forgets_nothing(cart_config):
        assert shown(await cart_other.get("/cart", headers=had)) == {}
        late = await add(cart_other, **had, **{"Idempotency-Key": "before"})
        assert late.headers["X-Session-Origin"] == "new"
    assert (await cart_client.post("/logout")).status_code == 200


@pytest.mark.parametrize(
    ("name", "status"),
    [("", 422), ("x" * 41, 422), ("<b>", 422), (7, 422), ("a\nb", 422), ("Zoë O'Neil-Žižek", 200)],
)
async def test_a_name_is_bounded(cart_client: httpx.AsyncClient, name: object, status: int) -> None:
    assert (await cart_client.post("/login", json={"name": name})).status_code == status


async def test_a_key_that_could_be_guessed_is_refused_at_login(cart_client: httpx.AsyncClient) -> None:
    answer = await log_in(cart_client, key="1")
    assert (answer.status_code, answer.json()["error"]) == (400, "bad_idempotency_key")


async def test_changes_at_once_with_a_login_are_in_the_cart_or_were_refused(
    cart_config: Config, cart_shopper: type
) -> None:
    """No acknowledged change stays behind under the dead id."""
    server: Strategy = strategies.build(cart_config, PRICES)
    if not server.promises.concurrent_adds:
        return
    await server.start()
    await server.change("a", NEW)
    done = await asyncio.gather(
        *(server.change("a", TEA) for _ in range(20)),
        server.login("a", ADA),
        *(server.change("a", TEA) for _ in range(20)),
        return_exceptions=True,
    )
    changed = [each for each in (*done[:20], *done[21:]) if not isinstance(each, BaseException)]
    refused = [each for each in done if isinstance(each, BaseException)]
    assert all(isinstance(each, NoSuchSession) for each in refused)
    assert (await server.read("b")).cart.quantity("tea") == 1 + len(changed)
    with pytest.raises(NoSuchSession):
        await server.read("a")
    await server.close()


async def test_a_logout_and_a_slow_add_leave_nothing(cart_config: Config) -> None:
    """Where the cart is read, changed and written back, the add revives what was ended: naive_blob."""
    if forgets_nothing(cart_config):
        return
    server: Strategy = strategies.build(cart_config, PRICES)
    await server.start()
    await server.change("a", NEW)
    if isinstance(server, NaiveBlob):
        blob = await server._get("a")
        assert blob
        await server.logout("a")
        await server._set("a", blob)  # the write of an add that had read before
        assert (await server.read("a")).cart.quantity("tea") == 1
    else:
        await asyncio.gather(server.logout("a"), server.change("a", TEA), return_exceptions=True)
        with pytest.raises(NoSuchSession):
            await server.read("a")
    await server.close()


async def test_an_old_carried_cart_is_dead_where_a_store_knows_it(
    store_shared: CartStore, store_prefix: str
) -> None:
    config = Config(
        strategy="client_cookie",
        rollback="refuse",
        store_url=store_shared.url,
        store_prefix=store_prefix,
    )
    server = strategies.build(config, PRICES)
    had = (await server.change("a", NEW)).carried
    keyed = Login("b", "Ada", key="k" * 16, carried=had)
    moved = await server.login("a", keyed)
    assert (await server.read("b", moved.carried)).who == "Ada"
    assert (await server.login("a", keyed)).cart == moved.cart
    for dead in (server.read("a", had), server.change("a", replace(TEA, carried=had))):
        with pytest.raises(NoSuchSession):
            await dead
    await server.logout("b", moved.carried)
    with pytest.raises(NoSuchSession):
        await server.read("b", moved.carried)
    await server.close()


def test_the_new_id_shares_only_its_line_with_the_old_and_takes_the_secret_to_tell() -> None:
    ours, theirs = Cookies("a secret of this site"), Cookies("a guess of somebody")
    old = ours.mint()
    key = str(uuid4())
    new = ours.rotated(old, key)
    assert new.id[:LINEAGE_LENGTH] == old.id[:LINEAGE_LENGTH]
    assert new.id[LINEAGE_LENGTH:] != old.id[LINEAGE_LENGTH:]
    assert len(new.id) == len(old.id)
    assert ours.rotated(old, key) == new
    assert theirs.rotated(old, key).id != new.id
    assert len({ours.rotated(old, None).id for _ in range(9)}) == 9
    assert ours.read(f"{COOKIE}={new.wire}") == new
