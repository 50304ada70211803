"""What /openapi.json tells about each route, beside what FastAPI reads from the code.

Bodies are read by hand (any Content-Type, a bounded size, messages that teach), so they are
described by hand as well; a test sends the examples that stand here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import BaseModel

_LINE = {
    "type": "object",
    "properties": {
        "item": {"type": "string"},
        "price": {"type": "number"},
        "quantity": {"type": "integer"},
        "sku": {"type": "string"},
    },
}
_CART = {
    "type": "object",
    "properties": {
        "serverId": {"type": "string", "description": "The server that did it"},
        "sessionId": {"type": ["string", "null"], "description": "A fingerprint of the cookie"},
        "cart": {"type": "array", "items": _LINE},
        "total": {"type": "number"},
        "shopper": {"type": "string", "description": "Who logged in, if anybody did"},
    },
}
_ERROR = {
    "type": "object",
    "properties": {"error": {"type": "string"}, "message": {"type": "string"}},
}
_HEADERS = {
    name: {"description": text, "schema": {"type": "string"}}
    for name, text in {
        "X-Served-By": "The server that answered",
        "X-Session-Origin": "Where the cart was found: new, local, store, client, backup, rebuilt or none",
        "X-Session-Backup": "replicated: the servers that have a copy of the cart",
        "X-Session-Verified": "no, when the store could not confirm what is shown",
        "ETag": "The cart's revision",
    }.items()
}
_REFUSALS = {
    400: "Broken JSON, no body, a false cookie or a bad key",
    404: "Not for sale; the message names the nearest",
    409: "Nothing to buy, or a line is full",
    410: "A checkout, or a change with If-Match, of a cart that is gone",
    412: "If-Match: the cart has another revision by now",
    413: "The body is too large",
    422: "A value out of range, another price, or a key that was used for something else",
    503: "The store cannot be asked; try again. X-Write: not-attempted when surely nothing was written",
}
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "maxLength": 255},
    "description": "Sent again with the same request, it gets the first answer and changes nothing",
}


_SKU = {
    "name": "sku",
    "in": "path",
    "required": True,
    "schema": {"type": "string"},
    "description": "A sku of the catalogue, or an item's name",
}


def cart(
    summary: str, *, body: type[BaseModel] | None = None, key: bool = False, sku: bool = False
) -> dict[str, Any]:
    """Keyword arguments of a route that answers with a cart."""
    responses: dict[int | str, dict[str, Any]] = {
        status: {"description": text, "content": _json(_ERROR)} for status, text in _REFUSALS.items()
    }
    responses[200] = {"description": "The cart", "content": _json(_CART), "headers": _HEADERS}
    extra: dict[str, Any] = {"parameters": [_KEY] * key + [_SKU] * sku}
    if body:
        extra["requestBody"] = {"required": True, "content": _json(body.model_json_schema())}
    return {"summary": summary, "responses": responses, "openapi_extra": extra}


def cart_less(summary: str) -> dict[str, Any]:
    """Of a route that reads the session and answers with something else."""
    described = cart(summary)
    described["responses"][200] = {"description": "Names of items, best first", "headers": _HEADERS}
    return described


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
