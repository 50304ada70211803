"""What every strategy's server promises over HTTP: the same tests for each, in process."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from services.cart import strategies
from services.cart.body import BODY_MAX
from services.cart.config import NEEDS_STORE
from services.cart.session import CARRIED, COOKIE, Cookies
from services.cart.shop import Shop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx

    from services.cart.config import Config

KEEPS_COPIES = {"write_through", "hybrid"}
MAC: dict[str, Any] = {"item": "MacBook Pro", "price": 2500}
PHONE: dict[str, Any] = {"item": "iPhone 15", "price": 1200}


async def add(
    client: httpx.AsyncClient, product: dict[str, Any], quantity: int = 1, key: str | None = None
) -> httpx.Response:
    headers = {"Idempotency-Key": key} if key else {}
    answer = await client.post("/cart/add", json={**product, "quantity": quantity}, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer


def shown(answer: httpx.Response) -> dict[str, int]:
    return {line["item"]: line["quantity"] for line in answer.json()["cart"]}


def found(config: Config, *, read: bool = False) -> str:
    if config.strategy == "client_cookie":
        return "client"
    if read and config.strategy in KEEPS_COPIES:
        return "local"
    return "store" if config.strategy in NEEDS_STORE else "local"


def shows_first_answer(config: Config) -> bool:
    return strategies.build(config, {}).promises.replays_first_answer


class TestACart:
    async def test_first_add_starts_a_session_and_shows_the_cart(
        self, cart_client: httpx.AsyncClient
    ) -> None:
        answer = await add(cart_client, MAC)
        wire = answer.cookies[COOKIE]
        assert answer.json() == {
            "serverId": "server-1",
            "sessionId": hashlib.sha256(wire.encode()).hexdigest()[:12],
            "cart": [{"item": "MacBook Pro", "price": 2500, "quantity": 1, "sku": "macbook-pro"}],
            "total": 2500,
        }
        assert answer.headers["X-Session-Origin"] == "new"
        mine, *carried = answer.headers.get_list("Set-Cookie")
        assert mine == f"{COOKIE}={wire}; Path=/; HttpOnly; SameSite=Lax"
        assert all(other.startswith(f"{CARRIED}=") for other in carried)

    async def test_later_adds_find_the_cart_and_set_no_cookie(
        self, cart_client: httpx.AsyncClient, cart_config: Config
    ) -> None:
        await add(cart_client, MAC)
        answer = await add(cart_client, PHONE, quantity=3)
        assert shown(answer) == {"MacBook Pro": 1, "iPhone 15": 3}
        assert answer.json()["total"] == 2500 + 3 * 1200
        assert answer.headers["X-Session-Origin"] == found(cart_config)
        assert COOKIE not in answer.cookies

    async def test_lines_stand_in_the_order_of_their_first_add(self, cart_client: httpx.AsyncClient) -> None:
        for item in ("USB-C Hub", "AirPods Pro", "Pixel 9", "USB-C Hub"):
            answer = await add(cart_client, {"item": item})
        assert shown(answer) == {"USB-C Hub": 2, "AirPods Pro": 1, "Pixel 9": 1}
        assert list(shown(answer)) == ["USB-C Hub", "AirPods Pro", "Pixel 9"]

    async def test_cents_survive_the_total(self, cart_client: httpx.AsyncClient) -> None:
        answer = await add(cart_client, {"item": "JBL Flip 6", "price": 119.95}, quantity=3)
        assert answer.json()["total"] == 359.85

    async def test_a_read_shows_what_was_added(
        self, cart_client: httpx.AsyncClient, cart_config: Config
    ) -> None:
        added = await add(cart_client, MAC)
        read = await cart_client.get("/cart")
        assert read.json() == added.json()
        assert read.headers["ETag"] == added.headers["ETag"]
        assert read.headers["X-Session-Origin"] == found(cart_config, read=True)
        assert read.headers["Cache-Control"] == "no-store"

    async def test_put_sets_and_delete_removes_and_both_may_be_sent_again(
        self, cart_client: httpx.AsyncClient
    ) -> None:
        await add(cart_client, PHONE, quantity=2)
        for _ in range(2):
            put = await cart_client.put("/cart/items/iphone-15", json={"quantity": 5})
            assert shown(put) == {"iPhone 15": 5}
            assert put.headers["ETag"] == '"2"'
        for _ in range(2):
            removed = await cart_client.delete("/cart/items/iPhone 15")
            assert removed.json()["cart"] == []
            assert removed.headers["ETag"] == '"3"'

    async def test_put_starts_a_session_and_delete_does_not(self, cart_client: httpx.AsyncClient) -> None:
        removed = await cart_client.delete("/cart/items/iphone-15")
        assert (removed.status_code, removed.headers["X-Session-Origin"]) == (200, "none")
        assert "Set-Cookie" not in removed.headers
        put = await cart_client.put("/cart/items/iphone-15", json={"quantity": 5})
        assert put.headers["X-Session-Origin"] == "new"
        assert shown(await cart_client.get("/cart")) == {"iPhone 15": 5}

    async def test_a_change_of_an_older_revision_is_refused(self, cart_client: httpx.AsyncClient) -> None:
        seen = (await add(cart_client, MAC)).headers["ETag"]
        await add(cart_client, PHONE)
        refused = await cart_client.put(
            "/cart/items/macbook-pro", json={"quantity": 9}, headers={"If-Match": seen}
        )
        assert (refused.status_code, refused.json()["error"]) == (412, "revision_moved")
        assert shown(await cart_client.get("/cart")) == {"MacBook Pro": 1, "iPhone 15": 1}
        current = {"If-Match": '"2"'}
        done = await cart_client.put("/cart/items/macbook-pro", json={"quantity": 9}, headers=current)
        assert shown(done) == {"MacBook Pro": 9, "iPhone 15": 1}

    async def test_a_line_holds_at_most_its_limit(self, cart_client: httpx.AsyncClient) -> None:
        for _ in range(101):
            await add(cart_client, PHONE, quantity=99)
        refused = await cart_client.post("/cart/add", json={**PHONE, "quantity": 1})
        assert (refused.status_code, refused.json()["error"]) == (409, "line_full")
        assert shown(await cart_client.get("/cart")) == {"iPhone 15": 9_999}

    async def test_carts_of_two_shoppers_are_two(
        self, cart_client: httpx.AsyncClient, cart_other: httpx.AsyncClient
    ) -> None:
        await add(cart_client, MAC)
        await add(cart_other, PHONE)
        assert shown(await cart_client.get("/cart")) == {"MacBook Pro": 1}
        assert shown(await cart_other.get("/cart")) == {"iPhone 15": 1}


class TestCheckout:
    async def test_it_orders_exactly_the_cart_and_leaves_it_empty(
        self, cart_client: httpx.AsyncClient
    ) -> None:
        await add(cart_client, MAC)
        await add(cart_client, PHONE, quantity=2)
        bought = (await cart_client.post("/checkout")).json()
        assert bought["order"]["total"] == 4900
        assert bought["order"]["revision"] == 2
        assert {line["sku"]: line["quantity"] for line in bought["order"]["items"]} == {
            "macbook-pro": 1,
            "iphone-15": 2,
        }
        assert (bought["cart"], bought["total"]) == ([], 0)
        assert shown(await add(cart_client, MAC)) == {"MacBook Pro": 1}

    async def test_nothing_is_not_for_sale(self, cart_client: httpx.AsyncClient) -> None:
        assert (await cart_client.post("/checkout")).json()["error"] == "empty_cart"
        await add(cart_client, MAC)
        await cart_client.delete("/cart/items/macbook-pro")
        again = await cart_client.post("/checkout")
        assert (again.status_code, again.json()["error"]) == (409, "empty_cart")

    async def test_with_a_key_it_buys_once_and_shows_the_same_order(
        self, cart_client: httpx.AsyncClient, cart_config: Config
    ) -> None:
        await add(cart_client, MAC)
        key = {"Idempotency-Key": "buy"}
        first = await cart_client.post("/checkout", headers=key)
        await add(cart_client, PHONE)
        second = await cart_client.post("/checkout", headers=key)
        if shows_first_answer(cart_config):
            assert second.content == first.content
        assert shown(await cart_client.get("/cart")) == {"iPhone 15": 1}

    async def test_an_older_revision_is_not_bought(self, cart_client: httpx.AsyncClient) -> None:
        seen = (await add(cart_client, MAC)).headers["ETag"]
        await add(cart_client, PHONE)
        refused = await cart_client.post("/checkout", headers={"If-Match": seen})
        assert refused.status_code == 412
        assert len(shown(await cart_client.get("/cart"))) == 2


class TestAKey:
    async def test_a_replay_gets_the_first_answer_and_changes_nothing(
        self, cart_client: httpx.AsyncClient, cart_config: Config
    ) -> None:
        await add(cart_client, PHONE)
        first = await add(cart_client, MAC, key="k1")
        assert "Idempotency-Replayed" not in first.headers
        await add(cart_client, PHONE, key="k2")
        again = await add(cart_client, MAC, key="k1")
        if shows_first_answer(cart_config):
            assert again.content == first.content
        assert again.headers["Idempotency-Replayed"] == "true"
        assert shown(await cart_client.get("/cart")) == {"MacBook Pro": 1, "iPhone 15": 2}

    async def test_the_same_change_in_other_words_is_a_replay(self, cart_client: httpx.AsyncClient) -> None:
        await add(cart_client, PHONE)
        await add(cart_client, {"item": "MacBook Pro", "price": 2500}, key="k")
        again = await add(cart_client, {"item": "macbook-pro"}, key="k")
        assert again.headers["Idempotency-Replayed"] == "true"

    async def test_it_names_one_change_only(self, cart_client: httpx.AsyncClient) -> None:
        await add(cart_client, PHONE)
        await add(cart_client, MAC, key="k")
        other = await cart_client.post("/cart/add", json=PHONE, headers={"Idempotency-Key": "k"})
        assert (other.status_code, other.json()["error"]) == (422, "idempotency_key_reused")
        assert shown(await cart_client.get("/cart")) == {"iPhone 15": 1, "MacBook Pro": 1}

    async def test_it_belongs_to_one_session(
        self, cart_client: httpx.AsyncClient, cart_other: httpx.AsyncClient
    ) -> None:
        for client in (cart_client, cart_other):
            await add(client, PHONE)
            answer = await add(client, MAC, key="same")
            assert "Idempotency-Replayed" not in answer.headers

    async def test_a_refused_change_leaves_the_key_free(self, cart_client: httpx.AsyncClient) -> None:
        await add(cart_client, PHONE)
        stale = {"Idempotency-Key": "k", "If-Match": '"0"'}
        assert (await cart_client.post("/cart/add", json=MAC, headers=stale)).status_code == 412
        answer = await add(cart_client, MAC, key="k")
        assert "Idempotency-Replayed" not in answer.headers

    @pytest.mark.parametrize("key", ["", "x" * 256, "a\tb"], ids=["empty", "too long", "not printable"])
    async def test_a_bad_one_is_refused(self, cart_client: httpx.AsyncClient, key: str) -> None:
        refused = await cart_client.post("/cart/add", json=MAC, headers={"Idempotency-Key": key})
        assert (refused.status_code, refused.json()["error"]) == (400, "bad_idempotency_key")


class TestASessionThatIsNotThere:
    """Its id was made here, by the signature, but nothing is kept under it."""

    @pytest.fixture
    def stranger(self, cart_config: Config) -> str:
        return Cookies(cart_config.secret).mint().wire

    async def test_a_read_is_an_empty_cart_that_says_so(
        self, cart_client: httpx.AsyncClient, stranger: str
    ) -> None:
        answer = await cart_client.get("/cart", headers={"Cookie": f"{COOKIE}={stranger}"})
        assert answer.json() == {"serverId": "server-1", "sessionId": None, "cart": [], "total": 0}
        assert answer.headers["X-Session-Origin"] == "none"
        assert "Set-Cookie" not in answer.headers

    async def test_an_add_gets_a_new_id_and_never_the_old(
        self, cart_client: httpx.AsyncClient, stranger: str
    ) -> None:
        sent = {"Cookie": f"{COOKIE}={stranger}"}
        answer = await cart_client.post("/cart/add", json=MAC, headers=sent)
        assert answer.headers["X-Session-Origin"] == "new"
        assert answer.cookies[COOKIE] != stranger
        cart_client.cookies.clear()
        again = await cart_client.get("/cart", headers=sent)
        assert again.json()["cart"] == []

    async def test_what_speaks_of_its_cart_is_told_that_it_is_gone(
        self, cart_client: httpx.AsyncClient, stranger: str
    ) -> None:
        sent = {"Cookie": f"{COOKIE}={stranger}"}
        refused_kindly(await cart_client.post("/checkout", headers=sent), 410)
        knows = sent | {"If-Match": '"3"'}
        refused_kindly(await cart_client.post("/cart/add", json=MAC, headers=knows), 410)
        refused_kindly(await cart_client.delete("/cart/items/macbook-pro", headers=knows), 410)


class TestAFalseCookie:
    @pytest.fixture
    def theirs(self) -> str:
        return Cookies("the secret of another site").mint().wire

    @pytest.mark.parametrize(
        "what", ["forged", "truncated", "foreign", "oversized", "no signature", "binary"]
    )
    async def test_it_is_refused_cleared_and_nobody_elses_cart(
        self, cart_client: httpx.AsyncClient, theirs: str, what: str
    ) -> None:
        mine = (await add(cart_client, MAC)).cookies[COOKIE]
        cart_client.cookies.clear()
        value = {
            "forged": mine[:-1] + ("A" if mine[-1] != "A" else "Q"),
            "truncated": mine[: len(mine) // 2],
            "foreign": theirs,
            "oversized": mine + "x" * 8_000,
            "no signature": mine.partition(".")[0],
            "binary": "\xff\xfe\x00",
        }[what]
        header = [(b"cookie", f"{COOKIE}={value}".encode("latin-1"))]
        for answer in (
            await cart_client.get("/cart", headers=header),
            await cart_client.post("/cart/add", json=PHONE, headers=header),
            await cart_client.post("/checkout", headers=header),
        ):
            assert (answer.status_code, answer.json()["error"]) == (400, "bad_session_cookie")
            assert "Max-Age=0" in answer.headers["Set-Cookie"]
            assert "MacBook" not in answer.text

    async def test_a_whole_set_cookie_line_is_understood(self, cart_client: httpx.AsyncClient) -> None:
        line = "; ".join((await add(cart_client, MAC)).headers.get_list("Set-Cookie"))
        cart_client.cookies.clear()
        answer = await cart_client.get("/cart", headers={"Cookie": line})
        assert shown(answer) == {"MacBook Pro": 1}

    async def test_other_cookies_beside_ours_do_no_harm(self, cart_client: httpx.AsyncClient) -> None:
        mine = (await add(cart_client, MAC)).cookies
        cart_client.cookies.clear()
        ours = "; ".join(f'{name}="{value}"' for name, value in mine.items())
        header = f"theme=dark; x{COOKIE}=1;; ={COOKIE}; {ours}; last"
        assert shown(await cart_client.get("/cart", headers={"Cookie": header})) == {"MacBook Pro": 1}


BAD_BODIES = {
    "no body": (b"", 400),
    "spaces": (b"  \n", 400),
    "broken JSON": (b'{"item":', 400),
    "not JSON": (b"item=MacBook+Pro", 400),
    "not UTF-8": (b'{"item":"\xff"}', 400),
    "too deep": (b'{"item":' + b"[" * 5_000 + b"]" * 5_000 + b"}", 400),
    "a list": (b"[]", 422),
    "null": (b"null", 422),
    "no item": (b'{"price":2500}', 422),
    "empty item": (b'{"item":""}', 422),
    "item is a number": (b'{"item":15}', 422),
    "item too long": (json.dumps({"item": "x" * 101}).encode(), 422),
    "unknown item": (b'{"item":"iPhone 51"}', 404),
    "quantity 0": (b'{"item":"iPhone 15","quantity":0}', 422),
    "quantity -1": (b'{"item":"iPhone 15","quantity":-1}', 422),
    "quantity 100": (b'{"item":"iPhone 15","quantity":100}', 422),
    "quantity 1e9": (b'{"item":"iPhone 15","quantity":1e9}', 422),
    "quantity huge": (b'{"item":"iPhone 15","quantity":' + b"9" * 500 + b"}", 422),
    "quantity beyond numbers": (b'{"item":"iPhone 15","quantity":' + b"9" * 5_000 + b"}", 400),
    "quantity two": (b'{"item":"iPhone 15","quantity":"two"}', 422),
    "quantity true": (b'{"item":"iPhone 15","quantity":true}', 422),
    "quantity 1.5": (b'{"item":"iPhone 15","quantity":1.5}', 422),
    "quantity null": (b'{"item":"iPhone 15","quantity":null}', 422),
    "price NaN": (b'{"item":"iPhone 15","price":NaN}', 422),
    "price Infinity": (b'{"item":"iPhone 15","price":Infinity}', 422),
    "price 1e400": (b'{"item":"iPhone 15","price":1e400}', 422),
    "price a string": (b'{"item":"iPhone 15","price":"1200"}', 422),
    "price differs": (b'{"item":"iPhone 15","price":1}', 422),
    "price differs by a cent": (b'{"item":"iPhone 15","price":1200.01}', 422),
    "1 MB": (b'{"item":"' + b"x" * 1_000_000 + b'"}', 413),
}


class TestBadInput:
    @pytest.mark.parametrize(("body", "status"), BAD_BODIES.values(), ids=BAD_BODIES)
    async def test_it_is_refused_with_a_message_and_leaves_no_session(
        self, cart_client: httpx.AsyncClient, body: bytes, status: int
    ) -> None:
        answer = await cart_client.post("/cart/add", content=body)
        refused_kindly(answer, status)
        assert "Set-Cookie" not in answer.headers

    @pytest.mark.parametrize("length", [BODY_MAX + 1, 1_000_000])
    async def test_a_chunked_body_is_bounded_too(self, cart_client: httpx.AsyncClient, length: int) -> None:
        async def chunks() -> AsyncIterator[bytes]:
            for _ in range(0, length, 1_000):
                yield b" " * min(1_000, length)

        answer = await cart_client.post("/cart/add", content=chunks())
        assert "Content-Length" not in answer.request.headers
        refused_kindly(answer, 413)

    async def test_an_unknown_item_gets_the_nearest_names(self, cart_client: httpx.AsyncClient) -> None:
        answer = await cart_client.post("/cart/add", json={"item": "Mac Book pro"})
        assert "'MacBook Pro'" in answer.json()["message"]

    async def test_any_content_type_will_do(self, cart_client: httpx.AsyncClient) -> None:
        for kind in ("application/x-www-form-urlencoded", "text/plain", "application/json; charset=utf-8"):
            answer = await cart_client.post(
                "/cart/add", content=json.dumps(MAC), headers={"Content-Type": kind}
            )
            assert answer.status_code == 200

    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [
            ("GET", "/nowhere", 404),
            ("GET", "/cart/", 404),
            ("GET", "/cart/add", 405),
            ("PATCH", "/cart", 405),
            ("DELETE", "/cart/items/nothing-of-ours", 404),
            ("DELETE", "/cart/items/" + "x" * 5_000, 404),
            ("DELETE", "/cart/items/%00%ff%2f", 404),
            ("POST", "/crash", 403),
        ],
    )
    async def test_a_wrong_address_is_refused_kindly(
        self, cart_client: httpx.AsyncClient, method: str, path: str, status: int
    ) -> None:
        refused_kindly(await cart_client.request(method, path), status)

    @pytest.mark.parametrize("value", ["1", '"x"', "'1'", '"1", "2"', '"' + "9" * 99 + '"'])
    async def test_an_if_match_that_is_no_revision_is_refused(
        self, cart_client: httpx.AsyncClient, value: str
    ) -> None:
        await add(cart_client, MAC)
        refused_kindly(await cart_client.post("/checkout", headers={"If-Match": value}), 422)


def refused_kindly(answer: httpx.Response, status: int) -> None:
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"error", "message"}
    assert re.fullmatch(r"[a-z_]+", answer.json()["error"])
    assert 20 < len(answer.json()["message"]) < 600
    assert answer.headers["X-Served-By"] == "server-1"
    assert answer.headers["X-Session-Origin"] == "none"


class TestTheRest:
    async def test_a_bug_of_ours_still_says_whose_and_tells_no_secrets(
        self,
        cart_client: httpx.AsyncClient,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        async def break_down(*_: object) -> None:
            raise RuntimeError("what only the log should tell")

        monkeypatch.setattr(Shop, "look", break_down)
        answer = await cart_client.get("/cart")
        refused_kindly(answer, 500)
        assert "only the log" not in answer.text
        assert "only the log" in caplog.text

    async def test_health_is_alive_and_ready_is_ready(self, cart_client: httpx.AsyncClient) -> None:
        assert (await cart_client.get("/health")).json() == {"serverId": "server-1", "status": "healthy"}
        ready = await cart_client.get("/ready")
        assert (ready.status_code, ready.json()["status"]) == (200, "ready")

    async def test_stats_count_shoppers_and_not_probes(
        self, cart_client: httpx.AsyncClient, cart_config: Config
    ) -> None:
        await add(cart_client, MAC)
        await cart_client.get("/health")
        await cart_client.get("/ready")
        stats = (await cart_client.get("/stats")).json()
        assert stats["requests"] == 1
        assert stats["carts"] == (1 if cart_config.strategy in {"memory", "replicated"} else None)
        assert set(stats) == {"serverId", "strategy", "carts", "requests", "figures", "pid"}

    async def test_the_catalogue_shows_what_can_be_added(self, cart_client: httpx.AsyncClient) -> None:
        items = (await cart_client.get("/catalogue")).json()["items"]
        assert {"item": "MacBook Pro", "price": 2500, "sku": "macbook-pro", "category": "laptops"} in items
        for product in items:
            answer = await add(cart_client, {"item": product["item"], "price": product["price"]})
        assert len(answer.json()["cart"]) == len(items)
        assert answer.json()["total"] == round(sum(item["price"] for item in items), 2)

    async def test_the_page_asks_nobody_else_for_anything(self, cart_client: httpx.AsyncClient) -> None:
        page = await cart_client.get("/")
        assert page.headers["Content-Type"] == "text/html; charset=utf-8"
        assert 'data-chaos="off"' in page.text
        assert not re.findall(r"(?:https?:)?//[a-z]", page.text)

    async def test_openapi_examples_are_true(self, cart_client: httpx.AsyncClient) -> None:
        paths = (await cart_client.get("/openapi.json")).json()["paths"]
        assert {"/cart/add", "/cart", "/cart/items/{sku}", "/checkout", "/crash"} <= set(paths)
        body = paths["/cart/add"]["post"]["requestBody"]["content"]["application/json"]["schema"]
        await add(cart_client, body["example"])
        assert "HTTPValidationError" not in json.dumps(paths)
