"""Catalogue, cookies and strategy put together: what a request for a cart comes to."""

from __future__ import annotations

import hashlib
import secrets
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from services.cart.errors import NoSuchSession, NothingToBuy, SessionGone
from services.cart.model import Cart, Change, Order, Verb
from services.cart.recommend import recommend
from services.cart.strategies.protocol import Ask, Hot, Login

if TYPE_CHECKING:
    from services.cart.catalogue import Catalogue
    from services.cart.session import Cookies, Session
    from services.cart.strategies.protocol import Answer, Strategy

_ORDER_ID_BYTES = 8
_STARTS_A_CART = frozenset({Verb.ADD, Verb.PUT})


@dataclass(frozen=True, slots=True)
class Seen:
    """A cart as an answer shows it.

    ``origin`` says where it was found; ``session`` is None when there is none. ``server`` is who
    made the change that is shown, another than the one that answers when it was ``replayed``.
    """

    cart: Cart
    origin: str
    server: str
    session: Session | None = None
    order: Order | None = None
    replayed: bool = False
    carried: str = ""
    verified: bool = True
    hot: Hot | None = None
    backups: tuple[str, ...] = ()
    who: str = ""
    #: The cookies that name this cart are new, and are to be set.
    is_new: bool = False


@dataclass(frozen=True, slots=True)
class Shop:
    server_id: str
    catalogue: Catalogue
    cookies: Cookies
    strategy: Strategy

    async def look(self, session: Session | None) -> Seen:
        if session:
            try:
                return _seen(await self.strategy.read(session.id, session.carried), session)
            except NoSuchSession:
                pass
        return Seen(Cart(), "none", self.server_id)

    async def recommend(self, session: Session | None) -> tuple[Seen, Hot]:
        """What the strategy keeps close, or the same made on the spot where it keeps nothing such."""
        seen = await self.look(session)
        if seen.hot:
            return seen, seen.hot
        held = [sku for sku, _ in seen.cart.lines]
        return seen, Hot((), recommend(self.catalogue.prices, held, ()))

    async def change(
        self,
        session: Session | None,
        change: Change,
        *,
        key: str | None = None,
        if_revision: int | None = None,
    ) -> Seen:
        """Change the session's cart; without one, start a cart where the change makes sense of it."""
        order_id = _order_id(session, key) if change.verb is Verb.CHECKOUT else ""
        ask = Ask(change, key=key, if_revision=if_revision, order_id=order_id)
        if session:
            try:
                return _seen(
                    await self.strategy.change(session.id, replace(ask, carried=session.carried)), session
                )
            except NoSuchSession:
                if change.verb is Verb.CHECKOUT or if_revision is not None:
                    raise SessionGone from None
        if change.verb is Verb.CHECKOUT:
            raise NothingToBuy
        if change.verb not in _STARTS_A_CART:
            return Seen(Cart(), "none", self.server_id)
        session = self.cookies.mint()
        answer = await self.strategy.change(session.id, replace(ask, create=True))
        return _seen(replace(answer, origin="new"), session, is_new=True)

    async def login(self, session: Session | None, who: str, *, key: str | None = None) -> Seen:
        """The cart moves to a new id, and the old one is dead; without a cart, an empty one starts."""
        if session:
            fresh = self.cookies.rotated(session, key)
            login = Login(fresh.id, who, key, carried=session.carried)
            try:
                return _seen(await self.strategy.login(session.id, login), fresh, is_new=True)
            except NoSuchSession:
                pass
        fresh = self.cookies.mint()
        answer = await self.strategy.login("", Login(fresh.id, who, fresh=True))
        return _seen(replace(answer, origin="new"), fresh, is_new=True)

    async def logout(self, session: Session | None) -> Seen:
        if session:
            with suppress(NoSuchSession):
                await self.strategy.logout(session.id, session.carried)
        return Seen(Cart(), "none", self.server_id)


def _order_id(session: Session | None, key: str | None) -> str:
    """With a key always the same, so that a checkout sent again is the same order for everybody."""
    if session and key:
        return hashlib.sha256(f"{session.id} {key}".encode()).hexdigest()[: 2 * _ORDER_ID_BYTES]
    return secrets.token_hex(_ORDER_ID_BYTES)


def _seen(answer: Answer, session: Session, *, is_new: bool = False) -> Seen:
    return Seen(
        answer.cart,
        answer.origin,
        answer.server,
        session,
        answer.order,
        answer.replayed,
        answer.carried,
        answer.verified,
        answer.hot,
        answer.backups,
        answer.who,
        is_new,
    )
