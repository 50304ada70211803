"""What every strategy promises; one suite of tests holds them all to it.

* A change is all or nothing, together with the record of its key.
* A change asked with a key is done once. Asked again, it gets the first answer back; the same key
  with another change is ``KeyReused``.
* An unknown or expired session is ``NoSuchSession``: never created unless ``create`` says so.
* A read never changes a cart, but it keeps it alive.
* Trouble with a store is ``StoreCut``, and never looks like an empty cart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from services.cart.model import Cart, Change, Order


@dataclass(frozen=True, slots=True)
class Ask:
    """One change for one session.

    ``create`` comes with a session minted a moment ago. ``order_id`` is used by a checkout only.
    """

    change: Change
    create: bool = False
    key: str | None = None
    if_revision: int | None = None
    order_id: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """The cart after a change, and which server made it.

    ``replayed`` tells that nothing happened now: this is the answer that was given before.
    """

    server: str
    cart: Cart
    order: Order | None = None
    replayed: bool = False


class Strategy(Protocol):
    name: str
    #: The X-Session-Origin of a cart that was found.
    origin: str

    async def read(self, session: str) -> Cart: ...

    async def change(self, session: str, ask: Ask) -> Answer: ...

    async def check(self) -> None:
        """Raise ``StoreCut`` when carts cannot be reached right now."""
        ...

    def held(self) -> int | None:
        """How many sessions would die with this process; None where none would."""
        ...

    async def close(self) -> None: ...
