"""Whatever is sent: never a 500, never somebody else's cart, always an answer that says who gave it."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.cart.config import Config

if TYPE_CHECKING:
    import httpx

    from tests.net.cart.conftest import Visit

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
_near_misses = st.fixed_dictionaries(
    {"item": st.sampled_from(["MacBook Pro", "iphone-15"]) | _json},
    optional={"price": st.sampled_from([2500, 1200]) | _json, "quantity": st.integers(-2, 101) | _json},
)
_bodies = st.binary(max_size=200) | (_json | _near_misses).map(lambda each: json.dumps(each).encode())
_ascii = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=80)
_headers = st.fixed_dictionaries(
    {},
    optional={
        "Cookie": _ascii | _ascii.map("cart_sid={}".format),
        "Idempotency-Key": _ascii,
        "If-Match": _ascii | st.integers().map('"{}"'.format),
        "Content-Type": _ascii,
        "Origin": _ascii,
    },
)
_calls = st.tuples(
    st.sampled_from(["GET", "POST", "PUT", "DELETE"]),
    st.sampled_from(["/cart/add", "/cart", "/cart/items/iphone-15", "/checkout", "/crash"])
    | _ascii.map(lambda text: "/cart/items/" + text.replace("#", "").replace("?", "")),
    _headers,
    _bodies,
)


@given(st.lists(_calls, min_size=1, max_size=5))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_that_is_sent_breaks_the_server(
    cart_visit: Visit, calls: list[tuple[str, str, dict[str, str], bytes]]
) -> None:
    async def send() -> list[httpx.Response]:
        async with cart_visit(Config()) as client:
            await client.post("/cart/add", json={"item": "Coffee Grinder"})
            client.cookies.clear()
            return [
                await client.request(method, path, headers=headers, content=body)
                for method, path, headers, body in calls
            ]

    for answer in asyncio.run(send()):
        assert answer.status_code < 500, answer.text
        assert answer.headers["X-Served-By"] == "server-1"
        assert answer.headers["X-Session-Origin"] in {"new", "local", "none"}
        assert '"sku":"coffee-grinder"' not in answer.text
        if not answer.is_success:
            assert set(answer.json()) == {"error", "message"}
