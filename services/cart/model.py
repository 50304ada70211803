"""Carts as rules: what may happen to one, without asking where it is kept.

A cart is its lines, sku to quantity in the order they were first added, and a revision that
counts the changes. Four verbs change it; each is a value, so a strategy can apply it here, in
memory, or send it to where the cart is:

| verb | effect | refused |
|---|---|---|
| add | quantity pieces more | a line would pass ``LINE_MAX`` |
| put | the line holds exactly quantity | |
| remove | the line is gone | |
| checkout | exactly the lines of this revision become an order and leave the cart | nothing to buy |

The revision moves only when the lines do: a change that changes nothing (removing what is not
there, putting what is there) may be sent again for ever. Money is integer cents.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING

from services.cart.errors import LineIsFull, NothingToBuy

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The most pieces that one request may add or put.
QUANTITY_MAX = 99
#: The most pieces that a line may hold, however many requests added them.
LINE_MAX = 9_999

Lines = tuple[tuple[str, int], ...]


class Verb(StrEnum):
    ADD = "add"
    PUT = "put"
    REMOVE = "remove"
    CHECKOUT = "checkout"


@dataclass(frozen=True, slots=True)
class Change:
    """``sku`` is empty and ``quantity`` 0 where the verb needs none."""

    verb: Verb
    sku: str = ""
    quantity: int = 0

    def __str__(self) -> str:
        return f"{self.verb} {self.sku} {self.quantity}"


@dataclass(frozen=True, slots=True)
class Cart:
    lines: Lines = ()
    revision: int = 0

    def quantity(self, sku: str) -> int:
        return dict(self.lines).get(sku, 0)

    def after(self, change: Change) -> Cart:
        lines = dict(self.lines)
        _APPLY[change.verb](lines, change)
        after = tuple(_line(*each) for each in lines.items())
        return self if after == self.lines else Cart(after, self.revision + 1)

    def total(self, prices: Mapping[str, int]) -> int:
        return sum(prices[sku] * quantity for sku, quantity in self.lines)


@dataclass(frozen=True, slots=True)
class Order:
    """What was bought: the lines of one revision, frozen, and what they cost then."""

    id: str
    revision: int
    lines: Lines
    total: int


def order_of(cart: Cart, order_id: str, prices: Mapping[str, int]) -> Order:
    return Order(order_id, cart.revision, cart.lines, cart.total(prices))


@lru_cache(maxsize=4096)
def _line(sku: str, quantity: int) -> tuple[str, int]:
    """One value for all carts that hold it: alone, they are a fifth of what a cart in memory takes."""
    return sku, quantity


def _add(lines: dict[str, int], change: Change) -> None:
    wanted = lines.get(change.sku, 0) + change.quantity
    if wanted > LINE_MAX:
        raise LineIsFull(sku=change.sku, held=wanted - change.quantity, most=LINE_MAX)
    lines[change.sku] = wanted


def _put(lines: dict[str, int], change: Change) -> None:
    lines[change.sku] = change.quantity


def _remove(lines: dict[str, int], change: Change) -> None:
    lines.pop(change.sku, None)


def _checkout(lines: dict[str, int], _change: Change) -> None:
    if not lines:
        raise NothingToBuy
    lines.clear()


_APPLY = {Verb.ADD: _add, Verb.PUT: _put, Verb.REMOVE: _remove, Verb.CHECKOUT: _checkout}
