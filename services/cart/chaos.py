"""A guarded way to hurt this server: it dies as a crash does, with no goodbye."""

from __future__ import annotations

import asyncio
import logging
import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fastapi import APIRouter, Request, Response

from services.cart import answers
from services.cart.errors import Guarded

if TYPE_CHECKING:
    from services.cart.config import Config

router = APIRouter(tags=["chaos"])
_log = logging.getLogger(__name__)
CRASH_EXIT_CODE = 1


@router.post(
    "/crash",
    summary="Die without a goodbye, a moment from now",
    responses={403: {"description": "Chaos is not enabled on this server"}},
)
async def crash(request: Request) -> Response:
    config: Config = request.app.state.config
    _guard(request, config)
    _log.warning("crashing in %g s, as POST /crash asked", config.crash_delay)
    # os._exit runs no handler and flushes nothing: to everybody else it looks like a kill -9.
    asyncio.get_running_loop().call_later(config.crash_delay, os._exit, CRASH_EXIT_CODE)
    return answers.as_json({"message": f"{config.server_id} crashes in {config.crash_delay:g} s"})


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
