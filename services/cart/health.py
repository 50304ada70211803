"""Alive is not ready. /health says that the process runs; /ready says whether to send it traffic."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response

from services.cart import answers
from services.cart.errors import StoreCut

if TYPE_CHECKING:
    from services.cart.shop import Shop
    from services.cart.strategies.protocol import Strategy

router = APIRouter(tags=["health"])


@dataclass(slots=True)
class Readiness:
    """Why this server should not get traffic now, if so. One word for machines, one sentence."""

    strategy: Strategy
    is_started: bool = False
    is_draining: bool = False

    async def obstacle(self) -> tuple[str, str] | None:
        if self.is_draining:
            return "draining", "This server was told to stop: it finishes what it serves and takes no more."
        if not self.is_started:
            return "starting", "This server is starting."
        try:
            await self.strategy.check()
        except StoreCut as problem:
            return "store_unavailable", str(problem)
        return None


@dataclass(slots=True)
class Traffic:
    """Requests answered so far, those of probes left out."""

    requests: int = 0


@router.get("/health", summary="The process is alive")
async def health(request: Request) -> Response:
    return answers.as_json({"serverId": _shop(request).server_id, "status": "healthy"})


@router.get(
    "/ready", summary="The server can take traffic", responses={503: {"description": "Not now, and why"}}
)
async def ready(request: Request) -> Response:
    readiness: Readiness = request.app.state.readiness
    server = {"serverId": _shop(request).server_id}
    obstacle = await readiness.obstacle()
    if obstacle is None:
        return answers.as_json(server | {"status": "ready"})
    reason, message = obstacle
    return answers.as_json(server | {"status": "not ready", "error": reason, "message": message}, 503)


@router.get("/stats", summary="What this process holds and has done")
async def stats(request: Request) -> Response:
    shop, traffic = _shop(request), request.app.state.traffic
    return answers.as_json(
        {
            "serverId": shop.server_id,
            "strategy": shop.strategy.name,
            "carts": shop.strategy.held(),
            "requests": traffic.requests,
            "figures": shop.strategy.figures(),
            "pid": os.getpid(),
        }
    )


@router.get("/promises", summary="What the session strategy promises, for who wants to judge it")
async def promises(request: Request) -> Response:
    strategy = _shop(request).strategy
    return answers.as_json({"strategy": strategy.name, "promises": asdict(strategy.promises)})


def _shop(request: Request) -> Shop:
    shop: Shop = request.app.state.shop
    return shop
