"""What can be bought: read from the site itself, so that shoppers never ask for what it lacks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


class BadCatalogue(Exception):
    """``GET /catalogue`` answered something that nobody can buy from."""


@dataclass(frozen=True, slots=True)
class Product:
    """``price`` is what the site asked, untouched: a price that differs is refused with 422."""

    item: str
    price: float
    sku: str = ""


def parse_catalogue(answer: Any) -> tuple[Product, ...]:
    """The products in the JSON of an answer of ``GET /catalogue``, in the site's order."""
    try:
        products = tuple(
            Product(str(row["item"]), row["price"], str(row.get("sku", ""))) for row in answer["items"]
        )
    except (AttributeError, KeyError, TypeError) as error:
        raise BadCatalogue(_expected(f"got {error!r} while reading {str(answer)[:200]}")) from error
    if not products:
        raise BadCatalogue(_expected("got an empty list"))
    return products


def _expected(got: str) -> str:
    return (
        'asked the site for GET /catalogue; expected {"items": [{"item": ..., "price": ...}, ...]}; '
        f"{got}; next: call it by hand with curl and compare"
    )
