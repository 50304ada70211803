"""A cart, and the answer to a change, as JSON: how they are kept where a process cannot keep values.

Lines are flat, sku and quantity in turn, since that is the shape a script in the store can keep in
order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from services.cart.model import Cart, Order
from services.cart.strategies.protocol import Answer

if TYPE_CHECKING:
    from services.cart.model import Change, Lines


def record_of(change: Change, answer: Answer) -> dict[str, Any]:
    """What :func:`answer_of` gets the answer back from; ``change`` tells what the key stood for."""
    cart, order = answer.cart, answer.order
    record = {
        "change": str(change),
        "server": answer.server,
        "revision": cart.revision,
        "lines": flat(cart.lines),
    }
    if answer.who:
        record["who"] = answer.who
    if order:
        record["order"] = {
            "id": order.id,
            "revision": order.revision,
            "lines": flat(order.lines),
            "total": order.total,
        }
    return record


def answer_of(record: dict[str, Any], origin: str, *, replayed: bool) -> Answer:
    order = record.get("order")
    return Answer(
        server=record["server"],
        cart=cart_of(record),
        order=order and Order(order["id"], order["revision"], lines_of(order["lines"]), order["total"]),
        replayed=replayed,
        origin=origin,
        who=record.get("who") or "",
    )


def cart_of(record: dict[str, Any]) -> Cart:
    return Cart(lines_of(record["lines"]), record["revision"])


def lines_of(flat: Any) -> Lines:
    # An empty list and an empty object are the same table in Lua; it comes back as either.
    flat = flat or ()
    return tuple(zip(flat[::2], flat[1::2], strict=True))


def flat(lines: Lines) -> list[str | int]:
    return [each for line in lines for each in line]
