"""The peer plane: a listener of its own, for the other servers and for who tells them of each other.

| call | what it is for |
|---|---|
| ``PUT /peers`` | all members, itself or not: ``{"server-1": "host:port", ...}`` |
| ``GET /peers`` | the same back |
| ``POST /copies`` | changes and snapshots, in order |
| ``POST /claim`` | hand over a session to who asks |
| ``POST /hello`` | are you there? |

Whoever has no key gets 401 and nothing else.
"""

from __future__ import annotations

import hmac
import re
from typing import TYPE_CHECKING, Any, Protocol

from aiohttp import web

from services.cart.replication.peers import KEY_HEADER, key_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_BODY_MAX = 64 * 1024 * 1024
_ADDRESS = re.compile(r"[\w.\-\[\]:]{1,255}:\d{1,5}")


class Member(Protocol):
    """What a server does for the others."""

    def tell(self, members: dict[str, str]) -> None: ...

    def addresses(self) -> dict[str, str]: ...

    def take(self, messages: list[dict[str, Any]]) -> dict[str, Any]: ...

    def hand_over(self, session: str, to: str) -> dict[str, Any]: ...


class Plane:
    def __init__(self, member: Member, secret: str) -> None:
        self._member = member
        self._key = key_of(secret)
        app = web.Application(middlewares=[self._only_ours], client_max_size=_BODY_MAX)
        app.router.add_put("/peers", self._peers)
        app.router.add_get("/peers", self._who)
        app.router.add_post("/copies", self._copies)
        app.router.add_post("/claim", self._claim)
        app.router.add_post("/hello", self._hello)
        self._runner = web.AppRunner(app, access_log=None)

    async def listen(self, host: str, port: int) -> tuple[str, int]:
        """Where it listens; port 0 takes a free one."""
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        address: tuple[str, int] = self._runner.addresses[0][:2]
        return address

    async def close(self) -> None:
        await self._runner.cleanup()

    @web.middleware
    async def _only_ours(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        key = request.headers.get(KEY_HEADER, "")
        if not hmac.compare_digest(key.encode(), self._key.encode()):
            message = f"The peer plane takes {KEY_HEADER}: hex of HMAC-SHA256(secret, 'cart peer plane')."
            return web.json_response({"error": "not_a_peer", "message": message}, status=401)
        return await handler(request)

    async def _peers(self, request: web.Request) -> web.Response:
        members = await request.json()
        if not isinstance(members, dict) or not all(
            isinstance(address, str) and _ADDRESS.fullmatch(address) for address in members.values()
        ):
            message = 'Expected {"server-1": "127.0.0.1:9101", ...}, every member of the site.'
            return web.json_response({"error": "bad_peers", "message": message}, status=422)
        self._member.tell(members)
        return web.json_response(self._member.addresses())

    async def _who(self, _request: web.Request) -> web.Response:
        return web.json_response(self._member.addresses())

    async def _copies(self, request: web.Request) -> web.Response:
        return web.json_response(self._member.take((await request.json())["messages"]))

    async def _claim(self, request: web.Request) -> web.Response:
        asked = await request.json()
        return web.json_response(self._member.hand_over(asked["session"], asked["to"]))

    async def _hello(self, _request: web.Request) -> web.Response:
        return web.json_response({})
