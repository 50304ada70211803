"""Guarded ways to hurt this server: it dies without a goodbye, loses an answer, or becomes slow."""

from __future__ import annotations

import asyncio
import logging
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Request, Response

from services.cart import answers
from services.cart.errors import BadBody, Guarded

if TYPE_CHECKING:
    from services.cart.config import Config

router = APIRouter(tags=["chaos"])
_log = logging.getLogger(__name__)
CRASH_EXIT_CODE = 1
_SLOWEST = 60
_REFUSED: dict[int | str, dict[str, Any]] = {403: {"description": "Chaos is not enabled on this server"}}


@dataclass(slots=True)
class Mischief:
    """What was asked of this server. ``lose_replies``: so many changes are made and never answered."""

    lose_replies: int = 0
    slow_seconds: float = 0.0


@router.post(
    "/crash",
    summary="Die without a goodbye, a moment from now",
    responses=_REFUSED,
)
async def crash(request: Request) -> Response:
    config: Config = request.app.state.config
    _guard(request, config)
    _log.warning("crashing in %g s, as POST /crash asked", config.crash_delay)
    # os._exit runs no handler and flushes nothing: to everybody else it looks like a kill -9.
    asyncio.get_running_loop().call_later(config.crash_delay, os._exit, CRASH_EXIT_CODE)
    return answers.as_json({"message": f"{config.server_id} crashes in {config.crash_delay:g} s"})


@router.post("/chaos/lose-next-reply", summary="Make the next change, then hang up", responses=_REFUSED)
async def lose_next_reply(request: Request) -> Response:
    """Once for each call: the change is made, and the connection closes instead of an answer."""
    config: Config = request.app.state.config
    _guard(request, config)
    mischief: Mischief = request.app.state.mischief
    mischief.lose_replies += 1
    return answers.as_json({"message": f"{config.server_id} makes the next change and hangs up"})


@router.post(
    "/chaos/slow",
    summary="Wait before each answer",
    responses=_REFUSED | {422: {"description": "No number of seconds, 0 to 60"}},
    openapi_extra={
        "parameters": [
            {"name": "seconds", "in": "query", "required": True, "schema": {"type": "number", "maximum": 60}}
        ]
    },
)
async def slow(request: Request) -> Response:
    """``?seconds=0`` heals it. Probes are answered as fast as ever, as in a gray failure."""
    config: Config = request.app.state.config
    _guard(request, config)
    asked = request.query_params.get("seconds", "")
    try:
        seconds = float(asked)
    except ValueError:
        seconds = -1
    if not 0 <= seconds <= _SLOWEST:
        raise BadBody("bad_value", f"seconds: a number from 0 to {_SLOWEST}, got {asked[:20]!r}.")
    mischief: Mischief = request.app.state.mischief
    mischief.slow_seconds = seconds
    return answers.as_json({"message": f"{config.server_id} waits {seconds:g} s before each answer"})


def _guard(request: Request, config: Config) -> None:
    if not config.chaos:
        raise Guarded(
            f"{config.server_id} does not let itself be crashed. Start it with --chaos (or CART_CHAOS=1) "
            "to allow it, or end the process yourself: kill -9 does the same."
        )
    # A page from elsewhere, open in the same browser, could post here without reading the answer.
    origin = request.headers.get("origin")
    if origin and urlsplit(origin).netloc != request.headers.get("host"):
        raise Guarded(f"A page of {origin[:100]} asked for this crash; only this server's own page may.")
