"""Our balancer's admin API, as far as somebody else's balancer can fill it."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING

from aiohttp import web

from lab.cluster.foreign.notices import Notices
from lab.errors import UsageProblem
from lab.export.front import read_servers

if TYPE_CHECKING:
    from typing import NoReturn

    from lab.cluster.foreign.engine import Engine

LOOK_EVERY = 0.1


class Admin:
    def __init__(self, engine: Engine, listen: str) -> None:
        self._engine = engine
        self._listen = listen
        self._notices = Notices()
        self._news = asyncio.Condition()
        self._changed_at: dict[str, float] = {}

    def app(self) -> web.Application:
        app = web.Application()
        app.add_routes(
            [
                web.get("/servers", self.servers),
                web.put("/servers/{name}", self.put_server),
                web.get("/sessions/{session}", self.session),
                web.get("/events", self.events),
            ]
        )
        return app

    async def watch(self) -> NoReturn:
        while True:
            sight, now = await self._engine.look(), time.time()
            known = len(self._notices.told)
            self._notices.compare(sight, now)
            for notice in self._notices.told[known:]:
                if notice["kind"] == "server":
                    self._changed_at[notice["server"]] = now
            async with self._news:
                self._news.notify_all()
            await asyncio.sleep(LOOK_EVERY)

    async def servers(self, _: web.Request) -> web.Response:
        sight = self._notices.last
        homes = list((sight.ties or {}).values())
        rows = [
            {
                "name": name,
                "address": self._engine.placed[name].address,
                "state": seen.state,
                "cause": seen.cause,
                "changed_at": self._changed_at.get(name, 0.0),
                "weight": 1,
                "active": seen.active,
                "sessions": homes.count(name),
                "requests": seen.requests,
            }
            for name, seen in sight.servers.items()
        ]
        return web.json_response(
            {
                "listen": self._listen,
                "balancer": self._engine.target,
                "sticky": self._engine.tie if self._engine.front.is_tied else "none",
                "balance": "roundrobin",
                "servers": rows,
            }
        )

    async def put_server(self, request: web.Request) -> web.Response:
        name, wanted = request.match_info["name"], await request.json()
        names = [server.name for server in self._engine.front.servers]
        if set(wanted) != {"address"} or name not in names:
            raise _refusal(
                f"{self._engine.target} stands in for the lab's balancer: only the address of one of "
                f"{', '.join(names)} can be told here. For the rest use its own tools."
            )
        try:
            (server,) = read_servers(f"{name}={wanted['address']}")
        except UsageProblem as problem:
            raise _refusal(str(problem)) from None
        await self._engine.place(server)
        return web.json_response({"name": name, "address": server.address})

    async def session(self, request: web.Request) -> web.Response:
        session, sight = request.match_info["session"], self._notices.last
        ties = sight.ties
        if ties is None or session not in ties:
            why = f"{self._engine.target} does not tell" if ties is None else "no such session"
            raise web.HTTPNotFound(text=json.dumps({"error": why}), content_type="application/json")
        return web.json_response(
            {"session": session, "server": ties[session], "idle_seconds": sight.idle[session]}
        )

    async def events(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        told = self._notices.told
        sent = 0 if request.query.get("history") == "1" else len(told)
        await response.prepare(request)
        try:
            while True:
                for notice in told[sent:]:
                    await response.write(b"data: " + json.dumps(notice).encode() + b"\n\n")
                    sent += 1
                async with self._news:
                    await self._news.wait()
        except ConnectionResetError:
            return response  # the listener has left


def _refusal(why: str) -> web.HTTPException:
    return web.HTTPBadRequest(text=json.dumps({"error": why}), content_type="application/json")
