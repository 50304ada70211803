"""A tiny real shop on a real port, which can be told to misbehave."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from secrets import token_hex
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    Misbehaviour = Callable[["TinyShop", web.Request], Awaitable[web.StreamResponse | None]]

ITEMS = [{"sku": name, "item": name, "price": price} for name, price in (("tea", 3.5), ("jam", 4))]


class TinyShop:
    """Carts in memory by cookie. ``misbehave`` may answer first, or break the connection."""

    def __init__(self) -> None:
        self.url = ""
        self.carts: dict[str, Counter[str]] = defaultdict(Counter)
        self.seen: list[str] = []
        self.keys: list[str | None] = []
        self.cookies: list[str | None] = []
        self.under_way: Counter[str] = Counter()
        self.most_under_way: Counter[str] = Counter()
        self.connections: set[object] = set()
        self.was_asked = asyncio.Event()
        self.misbehave: Misbehaviour | None = None
        self.headers: dict[str, str] = {}

    def has_seen(self, requests: int) -> bool:
        return len(self.seen) >= requests

    @property
    def runner(self) -> web.AppRunner:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._serve)
        return web.AppRunner(app, access_log=None, shutdown_timeout=0.1)

    async def apply(self, request: web.Request) -> web.Response:
        sid = request.cookies.get("cart_sid", "") or token_hex(8)
        if request.path == "/catalogue":
            return web.json_response({"items": ITEMS})
        if request.method == "POST":
            line = await request.json()
            self.carts[sid][line["item"]] += line["quantity"]
        cart = [{"item": item, "price": 1, "quantity": n} for item, n in self.carts[sid].items()]
        answer = web.json_response({"serverId": "server-1", "sessionId": sid[:4], "cart": cart, "total": 1})
        answer.headers.update({"X-Served-By": "server-1", "X-Session-Origin": "local", **self.headers})
        answer.set_cookie("cart_sid", sid, httponly=True, samesite="Lax")
        return answer

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(f"{request.method} {request.path}")
        self.was_asked.set()
        self.keys.append(request.headers.get("Idempotency-Key"))
        self.cookies.append(request.cookies.get("cart_sid"))
        self.connections.add(request.transport)
        person = request.cookies.get("cart_sid", "somebody new")
        self.under_way[person] += 1
        self.most_under_way |= self.under_way
        try:
            answer = await self.misbehave(self, request) if self.misbehave else None
            return answer or await self.apply(request)
        finally:
            self.under_way[person] -= 1

    @staticmethod
    async def cut_the_line(_: TinyShop, request: web.Request) -> web.StreamResponse | None:
        assert request.transport is not None
        request.transport.abort()
        return None

    @staticmethod
    async def lose_the_reply(shop: TinyShop, request: web.Request) -> web.StreamResponse | None:
        answer = await shop.apply(request)
        await shop.cut_the_line(shop, request)
        return answer

    @staticmethod
    async def freeze(_: TinyShop, __: web.Request) -> web.StreamResponse | None:
        await asyncio.Event().wait()
        return None


@pytest.fixture
async def shop() -> AsyncIterator[TinyShop]:
    tiny = TinyShop()
    runner = tiny.runner
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    tiny.url = f"http://{host}:{port}"
    yield tiny
    await runner.cleanup()
