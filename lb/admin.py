"""The operator's door: a second port, JSON in and out. The data path does not pass through here."""

from __future__ import annotations

import json
from dataclasses import asdict
from time import monotonic
from typing import TYPE_CHECKING, Any

from aiohttp import web

from lb.feed import Feed
from lb.metrics import exposition
from lb.operations import WISHES
from lb.settings import BadSetting, address_of
from lb.sticky import LearnSticky, fingerprint

if TYPE_CHECKING:
    from lb.balancer import Balancer
    from lb.learned import Binding, Learned
    from lb.operations import Operations
    from lb.pool import Server

MAX_PAGE = 1000
MAX_WEIGHT = 256


def create_admin(balancer: Balancer, operations: Operations) -> web.Application:
    admin = Admin(balancer, operations)
    app = web.Application()
    app.add_routes(
        [
            web.get("/ready", admin.ready),
            web.get("/servers", admin.servers),
            web.put("/servers/{name}", admin.put_server),
            web.delete("/servers/{name}", admin.delete_server),
            web.post("/servers/{name}/shutdown-sessions", admin.shutdown_sessions),
            web.get("/sessions", admin.sessions),
            web.get("/sessions/{session}", admin.session),
            web.get("/events", admin.events),
            web.get("/counters", admin.counters),
            web.get("/metrics", admin.metrics),
        ]
    )
    app.on_shutdown.append(admin.end_feeds)
    return app


class Admin:
    def __init__(self, balancer: Balancer, operations: Operations) -> None:
        self._balancer = balancer
        self._operations = operations
        self._feeds: set[Feed] = set()

    async def ready(self, _: web.Request) -> web.Response:
        """For whoever asks whether to send traffic here; it is no request to any server."""
        if self._balancer.routing.pool.open:
            return web.json_response({"status": "ready"})
        return web.json_response({"status": "not ready", "message": "no server is up"}, status=503)

    async def servers(self, _: web.Request) -> web.Response:
        settings, routing = self._balancer.settings, self._balancer.routing
        return web.json_response(
            {
                "listen": str(self._balancer.listens_on),
                "sticky": routing.sticky.mode,
                "balance": settings.balance,
                "failover": settings.failover,
                "servers": [_server(server) for server in routing.pool],
            }
        )

    async def put_server(self, request: web.Request) -> web.Response:
        wanted = await _json_object(request)
        name = request.match_info["name"]
        server = self._balancer.routing.pool.get(name)
        try:
            address = address_of(str(wanted["address"])) if "address" in wanted else None
            _check_wishes(wanted, known=server is not None or address is not None, name=name)
            if address is not None:
                server = self._operations.place(name, address, backup=wanted.get("backup", False))
        except BadSetting as error:
            raise _refusal(web.HTTPBadRequest, str(error)) from error
        if server is None:
            raise _refusal(web.HTTPNotFound, f"there is no server {name}; give its address to add it")
        if "weight" in wanted:
            self._operations.weigh(server, wanted["weight"])
        if "state" in wanted:
            self._operations.wish(server, wanted["state"])
        return web.json_response(_server(server))

    async def delete_server(self, request: web.Request) -> web.Response:
        self._operations.remove(self._known(request.match_info["name"]))
        return web.Response(status=204)

    async def shutdown_sessions(self, request: web.Request) -> web.Response:
        """HAProxy's ``shutdown sessions server``; with ``?forget=1`` the learned ties go too."""
        server, table = self._known(request.match_info["name"]), self._table()
        forgets = request.query.get("forget") == "1"
        forgotten = table.forget_server(server) if table is not None and forgets else 0
        ended = self._operations.shut_sessions(server)
        return web.json_response({"ended": ended, "forgotten": forgotten})

    async def sessions(self, request: web.Request) -> web.Response:
        table, now = self._table(), monotonic()
        server = self._known(request.query["server"]) if "server" in request.query else None
        if table is None:
            return web.json_response({"total": 0, "sessions": [], "next": None})
        limit = _number(request, "limit", 100, MAX_PAGE)
        page = table.page(now, server=server, limit=limit, after=request.query.get("after", ""))
        following = page[-1][0] if len(page) == limit else None
        return web.json_response(
            {
                "total": table.count(now, server),
                "sessions": [_session(session, binding, now) for session, binding in page],
                "next": following,
            }
        )

    async def session(self, request: web.Request) -> web.Response:
        """Named by its fingerprint or by the cookie's value; the table knows only the former."""
        table, now, asked = self._table(), monotonic(), request.match_info["session"]
        if table is None:
            raise _refusal(web.HTTPNotFound, "nothing is tied to a server here: sticky is not learn")
        for name in (asked, fingerprint(asked.encode())):
            binding = table.peek(name, now)
            if binding is not None:
                return web.json_response(_session(name, binding, now))
        raise _refusal(
            web.HTTPNotFound, "no such session: it never came, has expired, or its server is unknown"
        )

    async def events(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
        )
        feed = Feed(self._balancer.events, with_history=request.query.get("history") == "1")
        self._feeds.add(feed)
        try:
            await response.prepare(request)
            async for notice in feed:
                await response.write(b"data: " + json.dumps(notice).encode() + b"\n\n")
        except ConnectionResetError:
            pass  # the listener has left
        finally:
            self._feeds.discard(feed)
            feed.close()
        return response

    async def end_feeds(self, _: web.Application) -> None:
        for feed in self._feeds:
            feed.end()

    async def counters(self, _: web.Request) -> web.Response:
        counters = self._balancer.counters
        return web.json_response(
            {
                "requests": counters.requests,
                "responses": {f"{n}xx": counters.hrsp[n] for n in range(1, 6)},
                "refused": counters.refused,
                "retries": counters.retries,
                "redispatches": counters.redispatches,
                "retries_denied": counters.retries_denied,
                "qcur": counters.qcur,
                "qmax": counters.qmax,
                "sessions_moved": counters.moved.total(),
                "connections": len(self._balancer.clients),
                "servers": {server.name: _counted(server) for server in self._balancer.routing.pool},
            }
        )

    async def metrics(self, _: web.Request) -> web.Response:
        body, content_type = exposition(self._balancer)
        return web.Response(body=body, headers={"Content-Type": content_type})

    def _table(self) -> Learned | None:
        sticky = self._balancer.routing.sticky
        return sticky.table if isinstance(sticky, LearnSticky) else None

    def _known(self, name: str) -> Server:
        server = self._balancer.routing.pool.get(name)
        if server is None:
            names = ", ".join(server.name for server in self._balancer.routing.pool) or "none"
            raise _refusal(web.HTTPNotFound, f"there is no server {name}; the servers are: {names}")
        return server


def _server(server: Server) -> dict[str, Any]:
    return {
        "name": server.name,
        "address": str(server.address),
        "state": server.shown,
        "cause": server.cause,
        "code": server.code,
        "changed_at": server.changed_at,
        "weight": server.weight,
        "pace": round(server.pace, 3),
        "backup": server.backup,
        "active": server.active,
        "sessions": server.sessions,
        "requests": server.requests,
    }


def _session(session: str, binding: Binding, now: float) -> dict[str, Any]:
    return {"session": session, "server": binding.server.name, "idle_seconds": round(now - binding.used, 3)}


def _counted(server: Server) -> dict[str, Any]:
    counted = asdict(server.counters)
    counted["responses"] = {f"{n}xx": counted["hrsp"][n] for n in range(1, 6)}
    del counted["hrsp"]
    return {"requests": server.requests, "active": server.active, **counted}


async def _json_object(request: web.Request) -> dict[str, Any]:
    try:
        wanted = await request.json()
    except ValueError as error:
        raise _refusal(web.HTTPBadRequest, f"the body is not JSON: {error}") from error
    allowed = {"address", "backup", "state", "weight"}
    if not isinstance(wanted, dict) or not wanted or not wanted.keys() <= allowed:
        raise _refusal(web.HTTPBadRequest, f"expected an object of one or more of {sorted(allowed)}")
    return wanted


def _check_wishes(wanted: dict[str, Any], *, known: bool, name: str) -> None:
    """All or nothing: nothing is changed unless all of it can be."""
    if not known:
        raise _refusal(web.HTTPNotFound, f"there is no server {name}; give its address to add it")
    if wanted.get("state", "ready") not in WISHES:
        raise BadSetting(f"state is {wanted['state']!r}; expected one of {', '.join(WISHES)}")
    if not isinstance(wanted.get("backup", False), bool) or ("backup" in wanted and "address" not in wanted):
        raise BadSetting("backup is true or false, and said when a server is added with its address")
    weight = wanted.get("weight", 1)
    if isinstance(weight, bool) or not isinstance(weight, int) or not 0 <= weight <= MAX_WEIGHT:
        raise BadSetting(f"weight is {weight!r}; expected a whole number from 0 to {MAX_WEIGHT}")


def _number(request: web.Request, name: str, default: int, most: int) -> int:
    text = request.query.get(name, str(default))
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= most:
        raise _refusal(web.HTTPBadRequest, f"{name} is {text!r}; expected a whole number from 1 to {most}")
    return int(text)


def _refusal(kind: type[web.HTTPClientError], message: str) -> web.HTTPClientError:
    return kind(text=json.dumps({"error": message}) + "\n", content_type="application/json")
