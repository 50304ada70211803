"""Answers as they go on the wire: carts, orders and refusals, each in one shape."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from services.cart.catalogue import units
from services.cart.errors import BadCart, BadCookie, CartError, StoreCut
from services.cart.session import CLEAR_CARRIED, CLEAR_COOKIE, SET_CARRIED, SET_COOKIE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.cart.catalogue import Catalogue
    from services.cart.model import Lines
    from services.cart.shop import Seen
    from services.cart.strategies.protocol import Hot

ORIGIN = "X-Session-Origin"
_RETRY_AFTER_SECONDS = "1"
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def as_json(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(_encode(content), status, headers, media_type="application/json")


def cart(seen: Seen, catalogue: Catalogue) -> Response:
    content: dict[str, Any] = {
        "serverId": seen.server,
        "sessionId": seen.session and seen.session.fingerprint,
        "cart": _lines(seen.cart.lines, catalogue),
        "total": units(seen.cart.total(catalogue.prices)),
    }
    if seen.who:
        content["shopper"] = seen.who
    if seen.order:
        content["order"] = {
            "id": seen.order.id,
            "revision": seen.order.revision,
            "items": _lines(seen.order.lines, catalogue),
            "total": units(seen.order.total),
        }
    answer = as_json(content, headers=_cart_headers(seen))
    if seen.carried:
        answer.headers.append("Set-Cookie", SET_CARRIED.format(seen.carried))
    return answer


def farewell(seen: Seen, catalogue: Catalogue) -> Response:
    """An empty cart, and the browser forgets the cookies."""
    answer = cart(seen, catalogue)
    answer.headers.append("Set-Cookie", CLEAR_COOKIE)
    answer.headers.append("Set-Cookie", CLEAR_CARRIED)
    return answer


def recommendations(seen: Seen, hot: Hot, catalogue: Catalogue) -> Response:
    content = {
        "seen": [catalogue[sku].item for sku in hot.seen],
        "recommended": [catalogue[sku].item for sku in hot.recommended],
    }
    return as_json(content, headers={ORIGIN: seen.origin, "Cache-Control": "no-store"})


def _cart_headers(seen: Seen) -> dict[str, str]:
    headers = {ORIGIN: seen.origin, "Cache-Control": "no-store"}
    if seen.session:
        headers["ETag"] = f'"{seen.cart.revision}"'
        if seen.is_new:
            headers["Set-Cookie"] = SET_COOKIE.format(seen.session.wire)
    if not seen.verified:
        headers["X-Session-Verified"] = "no"
    if seen.backups:
        headers["X-Session-Backup"] = ", ".join(seen.backups)
    if seen.replayed:
        headers["Idempotency-Replayed"] = "true"
    return headers


def _lines(lines: Lines, catalogue: Catalogue) -> list[dict[str, Any]]:
    products = ((catalogue[sku], quantity) for sku, quantity in lines)
    return [
        {"item": product.item, "price": product.price, "quantity": quantity, "sku": product.sku}
        for product, quantity in products
    ]


def error(problem: CartError) -> Response:
    headers = {}
    if isinstance(problem, StoreCut):
        headers["Retry-After"] = _RETRY_AFTER_SECONDS
        if not problem.attempted:
            headers["X-Write"] = "not-attempted"
    if isinstance(problem, BadCookie):
        headers["Set-Cookie"] = CLEAR_COOKIE
    if isinstance(problem, BadCart) and problem.clears:
        headers["Set-Cookie"] = CLEAR_CARRIED
    return refusal(problem.status, problem.code, str(problem), headers)


def refusal(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> Response:
    return as_json({"error": code, "message": message}, status, headers)
