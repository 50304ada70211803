# noqa: INP001 - scripts are no package
"""The programs on the stage of ``bench_lb.py`` that are nobody's product: a server, two plain proxies.

``python bench_stage.py server N`` opens N ports and prints them; ``aiohttp`` and ``httpx`` print one,
and proxy to the URL they are given. Each lives until its standard input ends.
"""

from __future__ import annotations

import asyncio
import json
import sys
from itertools import count
from typing import cast

import aiohttp
import httpx
import uvloop
from aiohttp import web

CART = {"item": "MacBook Pro", "price": 2500, "quantity": 1}
BODY = json.dumps(
    {"serverId": "server-1", "sessionId": "c" * 12, "cart": [CART], "total": 2500, "filler": "0" * 10}
).encode()
COOKIE = b"Set-Cookie: cart_sid=%043d; Path=/; HttpOnly; SameSite=Lax\r\n"
BIG = 1 << 20


def _answer(body: bytes, fields: bytes = b"") -> bytes:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n"
    return head % (fields, len(body)) + body


class Server(asyncio.Protocol):
    """Answers each request without looking at more than its path and whether it brings the cookie.

    Whoever brings none begins a session.
    """

    FIRST, AGAIN, LARGE = _answer(BODY, COOKIE), _answer(BODY), _answer(b"x" * BIG)
    sessions = count()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._received = b""

    def data_received(self, data: bytes) -> None:
        heads = (self._received + data).split(b"\r\n\r\n")
        self._received = heads.pop()
        for head in heads:
            if head.startswith(b"GET /big"):
                self._transport.write(self.LARGE)
            else:
                known = b"cart_sid=" in head
                self._transport.write(self.AGAIN if known else self.FIRST % next(self.sessions))


async def serve(ports: int) -> None:
    loop = asyncio.get_running_loop()
    servers = [await loop.create_server(Server, "127.0.0.1", 0, backlog=1024) for _ in range(ports)]
    await _until_told([server.sockets[0].getsockname()[1] for server in servers])


async def proxy(library: str, upstream: str) -> None:
    app = web.Application()
    if library == "aiohttp":
        connector = aiohttp.TCPConnector(limit=0)
        session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())

        async def forward(request: web.Request) -> web.StreamResponse:
            async with session.get(upstream + request.path_qs, headers=_end_to_end(request)) as came:
                reply = web.StreamResponse(status=came.status, headers={"Content-Type": came.content_type})
                reply.content_length = came.content_length
                await reply.prepare(request)
                async for chunk in came.content.iter_any():
                    await reply.write(chunk)
                return reply
    else:
        client = httpx.AsyncClient(limits=httpx.Limits(max_connections=None), timeout=30, trust_env=False)

        async def forward(request: web.Request) -> web.StreamResponse:
            asked = client.stream("GET", upstream + request.path_qs, headers=_end_to_end(request))
            async with asked as came:
                reply = web.StreamResponse(
                    status=came.status_code, headers={"Content-Type": came.headers["content-type"]}
                )
                reply.content_length = int(came.headers["content-length"])
                await reply.prepare(request)
                async for chunk in came.aiter_raw():
                    await reply.write(chunk)
                return reply

    app.router.add_get("/{path:.*}", forward)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    await _until_told([runner.addresses[0][1]])


def _end_to_end(request: web.Request) -> dict[str, str]:
    return {name: value for name, value in request.headers.items() if name.lower() != "connection"}


async def _until_told(ports: list[int]) -> None:
    print(json.dumps(ports), flush=True)  # noqa: T201 - ports are read back, never guessed
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    role, argument = sys.argv[1:]
    uvloop.run(serve(int(argument)) if role == "server" else proxy(role, argument))
