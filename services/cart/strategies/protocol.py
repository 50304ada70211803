"""What every strategy promises; one suite of tests holds them all to it.

* A change is all or nothing, together with the record of its key.
* A change asked with a key is done once. Asked again, it gets the first answer back; the same key
  with another change is ``KeyReused``.
* An unknown or expired session is ``NoSuchSession``: never created unless ``create`` says so.
* A read never changes a cart, but it keeps it alive.
* A login moves the cart to another id, and the old one is dead at once: no server finds a cart under
  it, and nothing revives it, neither a request on its way nor a copy that comes late. A login sent
  again with its key gets the same new id. A logout leaves nothing.
* What else it promises stands beside it, as :class:`~.promises.Promises`.
* Trouble with a store is ``StoreCut``, and never looks like an empty cart.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from services.cart.model import Cart, Change, Order
    from services.cart.strategies.promises import Promises


@dataclass(frozen=True, slots=True)
class Ask:
    """One change for one session.

    ``create`` comes with a session minted a moment ago. ``order_id`` is used by a checkout only.
    ``carried`` is what the shopper brought along, empty where shoppers carry nothing.
    """

    change: Change
    create: bool = False
    key: str | None = None
    if_revision: int | None = None
    order_id: str = ""
    carried: str = ""


@dataclass(frozen=True, slots=True)
class Login:
    """From now on the cart is kept under the id ``to``, and ``who`` is the shopper's name.

    ``fresh``: there is no cart to move; start an empty one.
    """

    to: str
    who: str
    key: str | None = None
    carried: str = ""
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Hot:
    """Skus that were looked at lately, and that might please; best first, and nobody's promise."""

    seen: tuple[str, ...] = ()
    recommended: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """A cart as it was read, or after a change, and which server made that.

    ``replayed`` tells that nothing happened now: this is the answer that was given before.
    ``origin`` is the X-Session-Origin: where the cart was found, whatever became of it.
    ``carried`` is what the shopper shall bring along from now on; empty: what they have will do.
    ``verified`` is False for a copy that could not be compared with its original.
    """

    server: str
    cart: Cart
    order: Order | None = None
    replayed: bool = False
    origin: str = field(default="", compare=False)
    carried: str = field(default="", compare=False)
    verified: bool = field(default=True, compare=False)
    hot: Hot | None = field(default=None, compare=False)
    #: The other servers that have a copy, or are getting one.
    backups: tuple[str, ...] = field(default=(), compare=False)
    #: The name that the shopper logged in with, if any.
    who: str = field(default="", compare=False)


class Strategy(Protocol):
    name: str
    promises: Promises

    async def start(self) -> dict[str, Any]:
        """Before the first request; what it returns goes into the line that says "listening"."""
        ...

    async def read(self, session: str, carried: str = "") -> Answer: ...

    async def change(self, session: str, ask: Ask) -> Answer: ...

    async def login(self, session: str, login: Login) -> Answer: ...

    async def logout(self, session: str, carried: str = "") -> None:
        """Raises ``NoSuchSession`` where nothing was kept under it."""
        ...

    async def check(self) -> None:
        """Raise ``StoreCut`` when carts cannot be reached right now."""
        ...

    def held(self) -> int | None:
        """How many sessions would die with this process; None where none would."""
        ...

    def figures(self) -> dict[str, float]:
        """What it counted and measured, for /stats: names and numbers of the strategy's own."""
        ...

    async def close(self) -> None: ...
