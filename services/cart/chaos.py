"""Guarded ways to hurt this server: it dies, loses answers, becomes slow, or believes a false time."""

from __future__ import annotations

import asyncio
import logging
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Request, Response

from services.cart import answers
from services.cart.clock import WALL
from services.cart.errors import BadBody, Guarded

if TYPE_CHECKING:
    from services.cart.config import Config

router = APIRouter(tags=["chaos"])
_log = logging.getLogger(__name__)
CRASH_EXIT_CODE = 1
_SLOWEST = 60
_MOST_REPLIES = 10_000
#: A day: no cookie of ours lives for longer.
_FARTHEST = 86_400
_REFUSED: dict[int | str, dict[str, Any]] = {403: {"description": "Chaos is not enabled on this server"}}


def _described(name: str, least: int, most: int) -> dict[int | str, dict[str, Any]]:
    return {422: {"description": f"{name} is no number from {least} to {most}"}}


def _parameter(name: str, least: int, most: int, *, required: bool = True) -> dict[str, Any]:
    schema = {"type": "number", "minimum": least, "maximum": most}
    return {"parameters": [{"name": name, "in": "query", "required": required, "schema": schema}]}


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


@router.get("/chaos", summary="What is armed against this server", responses=_REFUSED)
async def armed(request: Request) -> Response:
    """A fault that reverts itself looks here whether it did. All zero: nothing is armed."""
    _guard(request, request.app.state.config)
    mischief: Mischief = request.app.state.mischief
    content = {
        "serverId": request.app.state.config.server_id,
        "loseReplies": mischief.lose_replies,
        "slowSeconds": mischief.slow_seconds,
        "clockAheadSeconds": WALL.ahead,
    }
    return answers.as_json(content)


@router.post(
    "/chaos/lose-next-reply",
    summary="Make the next change, then hang up",
    responses=_REFUSED | _described("times", 0, _MOST_REPLIES),
    openapi_extra=_parameter("times", 0, _MOST_REPLIES, required=False),
)
async def lose_next_reply(request: Request) -> Response:
    """Once for each call: the change is made, and the connection closes instead of an answer.

    ``?times=5`` is five in all, and ``?times=0`` heals it.
    """
    config: Config = request.app.state.config
    _guard(request, config)
    mischief: Mischief = request.app.state.mischief
    if "times" in request.query_params:
        mischief.lose_replies = int(_number(request, "times", 0, _MOST_REPLIES))
    else:
        mischief.lose_replies += 1
    return answers.as_json({"message": f"{config.server_id} makes the next change and hangs up"})


@router.post(
    "/chaos/clock",
    summary="Believe that it is later, or earlier, than it is",
    responses=_REFUSED | _described("ahead", -_FARTHEST, _FARTHEST),
    openapi_extra=_parameter("ahead", -_FARTHEST, _FARTHEST),
)
async def clock(request: Request) -> Response:
    """``?ahead=3600`` is an hour; ``0`` heals it. Only what goes by the wall clock is deceived."""
    config: Config = request.app.state.config
    _guard(request, config)
    WALL.ahead = _number(request, "ahead", -_FARTHEST, _FARTHEST)
    return answers.as_json({"message": f"{config.server_id} believes it is {WALL.ahead:g} s later"})


@router.post(
    "/chaos/slow",
    summary="Wait before each answer",
    responses=_REFUSED | _described("seconds", 0, _SLOWEST),
    openapi_extra=_parameter("seconds", 0, _SLOWEST),
)
async def slow(request: Request) -> Response:
    """``?seconds=0`` heals it. Probes are answered as fast as ever, as in a gray failure."""
    config: Config = request.app.state.config
    _guard(request, config)
    seconds = _number(request, "seconds", 0, _SLOWEST)
    mischief: Mischief = request.app.state.mischief
    mischief.slow_seconds = seconds
    return answers.as_json({"message": f"{config.server_id} waits {seconds:g} s before each answer"})


def _number(request: Request, name: str, least: int, most: int) -> float:
    asked = request.query_params.get(name, "")
    try:
        number = float(asked)
    except ValueError:
        number = least - 1
    if not least <= number <= most:
        raise BadBody("bad_value", f"{name}: a number from {least} to {most}, got {asked[:20]!r}.")
    return number


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
