"""The cart's routes: each reads its request, asks the shop, and shows what it says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response

from services.cart import answers, body, openapi
from services.cart.direct import Direct
from services.cart.errors import BadBody, BadKey
from services.cart.model import Change, Verb

if TYPE_CHECKING:
    from services.cart.catalogue import Product
    from services.cart.session import Session
    from services.cart.shop import Shop

router = APIRouter(tags=["cart"], route_class=Direct)
#: Read from the path by hand: declaring it would load pydantic's whole first version at start.
_ITEM = "/cart/items/{sku}"
_KEY_MAX = 255
_LOGIN_KEY_MIN = 16
_REVISION = re.compile(r'(?:W/)?"(\d{1,15})"')


@router.post("/cart/add", **openapi.cart("Put an item into the cart", body=body.AddItem, key=True))
async def add(request: Request) -> Response:
    shop = _shop(request)
    wanted = await body.read(request, body.AddItem)
    product = shop.catalogue.find(wanted.item)
    product.check_price(wanted.price)
    return await _change(request, Change(Verb.ADD, product.sku, wanted.quantity))


@router.get("/cart", **openapi.cart("Show the cart"))
async def show(request: Request) -> Response:
    shop = _shop(request)
    return answers.cart(await shop.look(_session(request)), shop.catalogue)


@router.put(_ITEM, **openapi.cart("Set how many of an item the cart holds", body=body.PutItem, sku=True))
async def put(request: Request) -> Response:
    product = _shop(request).catalogue.find(request.path_params["sku"])
    wanted = await body.read(request, body.PutItem)
    return await _change(request, Change(Verb.PUT, product.sku, wanted.quantity))


@router.delete(_ITEM, **openapi.cart("Take an item out of the cart", sku=True))
async def remove(request: Request) -> Response:
    product = _shop(request).catalogue.find(request.path_params["sku"])
    return await _change(request, Change(Verb.REMOVE, product.sku))


@router.post("/checkout", **openapi.cart("Buy what the cart holds", key=True))
async def checkout(request: Request) -> Response:
    return await _change(request, Change(Verb.CHECKOUT))


@router.post("/login", **openapi.cart("Say who shops; the session gets a new id", body=body.LogIn, key=True))
async def login(request: Request) -> Response:
    shop = _shop(request)
    wanted = await body.read(request, body.LogIn)
    key = _key(request)
    if key and len(key) < _LOGIN_KEY_MIN:
        raise BadKey(
            f"With its key a login gets the new cookie again, so the key must be hard to guess: at least "
            f"{_LOGIN_KEY_MIN} characters, such as a UUID; got {len(key)}."
        )
    return answers.cart(await shop.login(_session(request), wanted.name, key=key), shop.catalogue)


@router.post("/logout", **openapi.cart("End the session; its cart is gone"))
async def logout(request: Request) -> Response:
    shop = _shop(request)
    return answers.farewell(await shop.logout(_session(request)), shop.catalogue)


@router.get("/catalogue", summary="What is sold, and for how much")
async def catalogue(request: Request) -> Response:
    items = [_product(product) for product in _shop(request).catalogue]
    return answers.as_json({"items": items})


@router.get("/recommendations", **openapi.cart_less("What was looked at, and what might please"))
async def recommendations(request: Request) -> Response:
    shop = _shop(request)
    seen, hot = await shop.recommend(_session(request))
    return answers.recommendations(seen, hot, shop.catalogue)


async def _change(request: Request, change: Change) -> Response:
    shop = _shop(request)
    seen = await shop.change(
        _session(request), change, key=_key(request), if_revision=_expected_revision(request)
    )
    return answers.cart(seen, shop.catalogue)


def _shop(request: Request) -> Shop:
    shop: Shop = request.app.state.shop
    return shop


def _session(request: Request) -> Session | None:
    return _shop(request).cookies.read("; ".join(request.headers.getlist("cookie")))


def _key(request: Request) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is None:
        return None
    if not key.isascii() or not key.isprintable() or not 0 < len(key) <= _KEY_MAX:
        raise BadKey(f"An Idempotency-Key is 1 to {_KEY_MAX} printable ASCII characters, such as a UUID.")
    return key


def _expected_revision(request: Request) -> int | None:
    expected = request.headers.get("if-match")
    if expected is None or expected.strip() == "*":
        return None
    if match := _REVISION.fullmatch(expected.strip()):
        return int(match[1])
    raise BadBody("bad_if_match", f'If-Match takes the ETag of a cart, such as "3"; got {expected[:60]!r}.')


def _product(product: Product) -> dict[str, Any]:
    return {
        "sku": product.sku,
        "item": product.item,
        "price": product.price,
        "category": product.category,
    }
