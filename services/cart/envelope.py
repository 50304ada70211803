"""What every answer carries, whatever became of the request.

Plain ASGI, since it runs for every request: it counts, bounds the body, stamps the headers, and
turns a bug of ours into an answer that still says which server it came from.
"""

from __future__ import annotations

import asyncio
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, NoReturn

from starlette.requests import ClientDisconnect

from services.cart import answers
from services.cart.body import BODY_MAX
from services.cart.errors import BadBody

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from services.cart.chaos import Mischief
    from services.cart.health import Readiness, Traffic

#: In a scope's extensions: closes the connection, whatever was going to be said.
HANG_UP = "cart.hang_up"
_log = logging.getLogger(__name__)
_ORIGIN = answers.ORIGIN.lower().encode()
_PROBES = frozenset({"/health", "/ready", "/stats", "/promises", "/chaos"})
_TOO_LARGE = f"The body is larger than {BODY_MAX} bytes; no request of this shop needs that much."


class Envelope:
    def __init__(
        self, app: ASGIApp, *, server_id: str, readiness: Readiness, traffic: Traffic, mischief: Mischief
    ) -> None:
        self._app = app
        self._served_by = (b"x-served-by", server_id.encode())
        self._readiness = readiness
        self._traffic = traffic
        self._mischief = mischief

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        await self._begin(scope["path"])
        is_started = False

        async def stamp(message: Message) -> None:
            nonlocal is_started
            if self._loses(scope, message):
                await _hang_up(scope, receive)
            if message["type"] == "http.response.start":
                is_started = True
                self._stamp(message["headers"])
            await send(message)

        if _declared_length(scope) > BODY_MAX:
            await answers.error(_too_large())(scope, receive, stamp)
            return
        try:
            await self._app(scope, _bounded(receive), stamp)
        except ClientDisconnect:
            return  # nobody is left to answer
        except Exception:
            _log.exception("a bug met %s %s", scope["method"], scope["path"])
            if is_started:
                raise
            answer = answers.refusal(500, "internal_error", "A bug of this server; its log says more.")
            await answer(scope, receive, stamp)

    async def _begin(self, path: str) -> None:
        if path in _PROBES:
            return
        self._traffic.requests += 1
        if self._mischief.slow_seconds and not path.startswith("/chaos/"):
            await asyncio.sleep(self._mischief.slow_seconds)

    def _loses(self, scope: Scope, message: Message) -> bool:
        """Whether to hang up instead of this answer: the change it speaks of was made."""
        is_change = scope["method"] != "GET" and not scope["path"].startswith(("/chaos/", "/crash"))
        if (
            not self._mischief.lose_replies
            or not is_change
            or HANG_UP not in scope.get("extensions", {})
            or message.get("status") != HTTPStatus.OK
        ):
            return False
        self._mischief.lose_replies -= 1
        return True

    def _stamp(self, headers: list[tuple[bytes, bytes]]) -> None:
        headers.append(self._served_by)
        if not any(name == _ORIGIN for name, _ in headers):
            headers.append((_ORIGIN, b"none"))
        if self._readiness.is_draining:
            headers.append((b"connection", b"close"))


async def _hang_up(scope: Scope, receive: Receive) -> NoReturn:
    scope["extensions"][HANG_UP]()
    while (await receive())["type"] != "http.disconnect":
        pass
    raise ClientDisconnect


def _declared_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() else 0
    return 0


def _bounded(receive: Receive) -> Receive:
    """Count what really comes: a chunked body declares no length."""
    size = 0

    async def bounded() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > BODY_MAX:
            raise _too_large()
        return message

    return bounded


def _too_large() -> BadBody:
    return BadBody("body_too_large", _TOO_LARGE, status=413)
