"""What is sold, and for how much. A price a client sends is checked, never believed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from services.cart.errors import NotForSale, WrongPrice

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_FILE = Path(__file__).with_name("catalogue.json")
_SUGGESTIONS = 3
_CENTS = 100
#: A price is compared in cents; this forgives the client's binary fractions, no more.
_ROUNDING = 1e-6
#: Names are shown back in messages; what is longer is cut.
NAME_MAX = 100


@dataclass(frozen=True, slots=True)
class Product:
    sku: str
    item: str
    category: str
    cents: int

    @property
    def price(self) -> int | float:
        return units(self.cents)

    def check_price(self, price: float | None) -> None:
        if price is not None and abs(price * _CENTS - self.cents) > _ROUNDING * _CENTS:
            raise WrongPrice(
                f"{self.item!r} costs {self.price}, not {price:g}. Prices come from the catalogue: "
                "leave the price out, or read it from GET /catalogue."
            )


class Catalogue:
    def __init__(self, products: Iterable[Product]) -> None:
        self._by_sku = {product.sku: product for product in products}
        self._by_name = {product.item.casefold(): product for product in self} | self._by_sku
        self.prices = {product.sku: product.cents for product in self}

    def __iter__(self) -> Iterator[Product]:
        return iter(self._by_sku.values())

    def __getitem__(self, sku: str) -> Product:
        return self._by_sku[sku]

    def find(self, name: str) -> Product:
        """The product of a name or sku, in any case; else the nearest names."""
        wanted = name.strip().casefold()
        if product := self._by_name.get(wanted):
            return product
        close = get_close_matches(wanted[:NAME_MAX], self._by_name, n=_SUGGESTIONS * 2, cutoff=0.5)
        nearest = list(dict.fromkeys(self._by_name[key].item for key in close))[:_SUGGESTIONS]
        hint = f"Did you mean {' or '.join(map(repr, nearest))}?" if nearest else "See GET /catalogue."
        raise NotForSale(f"{name[:NAME_MAX]!r} is not for sale here. {hint}")


def load() -> Catalogue:
    """The shop's own catalogue file."""
    records = json.loads(_FILE.read_text(encoding="utf-8"))
    return Catalogue(Product(**record) for record in records)


def units(cents: int) -> int | float:
    """Cents as the currency units of the wire: 2500, 19.99."""
    return cents // _CENTS if cents % _CENTS == 0 else cents / _CENTS
