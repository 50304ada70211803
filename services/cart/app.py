"""One application from one config. Nothing is built at import."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.exceptions import HTTPException

from services.cart import answers, api, catalogue, chaos, health, page, strategies
from services.cart.envelope import Envelope
from services.cart.errors import CartError
from services.cart.session import Cookies
from services.cart.shop import Shop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import Request, Response
    from fastapi.telemetry import TelemetryConfig

    from services.cart.config import Config

_NO_TELEMETRY: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}


def create_app(config: Config) -> FastAPI:
    products = catalogue.load()
    strategy = strategies.build(config, products.prices)
    readiness = health.Readiness(strategy)
    traffic = health.Traffic()
    mischief = chaos.Mischief()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.announced = await strategy.start()
        readiness.is_started = True
        yield
        await strategy.close()

    app = FastAPI(
        title="Cart server",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        telemetry=_NO_TELEMETRY,
    )
    app.state.config = config
    app.state.shop = Shop(config.server_id, products, Cookies(*config.secrets), strategy)
    app.state.readiness = readiness
    app.state.traffic = traffic
    app.state.mischief = mischief
    app.add_middleware(
        Envelope, server_id=config.server_id, readiness=readiness, traffic=traffic, mischief=mischief
    )
    app.add_exception_handler(CartError, _cart_error)
    app.add_exception_handler(HTTPException, _http_error)
    for room in (api, health, chaos, page):
        # Flat: matching through nested routers costs a request 15 % more.
        app.router.routes.extend(room.router.routes)
    return app


async def _cart_error(_request: Request, problem: Exception) -> Response:
    assert isinstance(problem, CartError)  # noqa: S101 - registered for nothing else
    return answers.error(problem)


async def _http_error(request: Request, problem: Exception) -> Response:
    """What the framework refuses by itself: no such path, or no such method on it."""
    assert isinstance(problem, HTTPException)  # noqa: S101 - registered for nothing else
    asked = f"{request.method} {request.url.path[:100]}"
    codes = {404: "no_such_page", 405: "method_not_allowed"}
    message = f"{asked} is not part of this server; GET /openapi.json lists what is."
    code = codes.get(problem.status_code, "bad_request")
    return answers.refusal(problem.status_code, code, message, problem.headers)
