"""client_cookie: the shopper carries the cart, sealed, and no server keeps anything.

Any server can answer, and none has anything to lose. The price is that the site does not know which
token is the newest: two changes of one token at once make two newer ones, of which the shopper
keeps the last; and an old token brings its old cart back. ``--rollback refuse`` ends both with the
newest revision of each session in a store, and then there is a store again. The same holds for a
session that was left by login or logout: the browser is told to forget it, and a copy of its cookies
opens the cart of before, without the name, unless a store knows that it is dead.

A change sent again with its key and its old token comes to the same cart as the first time, so it
counts once although nobody remembers it. Sent with the new token it is found there, since a token
remembers the latest keys.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from services.cart.clock import WALL
from services.cart.errors import CartTooLarge, KeyReused, NoSuchSession, RevisionMoved
from services.cart.model import Cart, Verb, order_of
from services.cart.strategies.newest import Newest
from services.cart.strategies.promises import Promises
from services.cart.strategies.protocol import Answer
from services.cart.strategies.sealed import Sealed, Sealer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from services.cart.config import Config
    from services.cart.strategies.protocol import Ask, Login

_ORIGIN = "client"
#: Keys that a token remembers. Each takes some twenty bytes of every request.
_KEYS_MAX = 16
_DIGEST_DIGITS = 10
#: A read seals the cart again, to keep it alive, once so much of its idle time is gone.
_TOUCH_AFTER = 0.1


class ClientCookie:
    name = "client_cookie"

    def __init__(self, config: Config, prices: Mapping[str, int], clock: Callable[[], float] = WALL) -> None:
        self._config = config
        self._prices = prices
        self._clock = clock
        self._sealer = Sealer(config.secrets, idle=config.session_ttl, longest=config.session_max)
        self._newest = Newest(config) if config.rollback == "refuse" else None
        self.promises = _promises(refuses=self._newest is not None)

    async def start(self) -> dict[str, Any]:
        return {}

    async def read(self, session: str, carried: str = "") -> Answer:
        sealed = self._open(session, carried)
        if self._newest:
            await self._newest.check(session, sealed.cart.revision)
        now = self._clock()
        is_old = now - sealed.used > _TOUCH_AFTER * self._config.session_ttl
        token = self._sealer.seal(replace(sealed, used=now)) if is_old else ""
        return Answer(self._config.server_id, sealed.cart, origin=_ORIGIN, carried=token, who=sealed.who)

    async def change(self, session: str, ask: Ask) -> Answer:
        sealed = self._create(session) if ask.create else self._open(session, ask.carried)
        if ask.key and (change := dict(sealed.done).get(_digest(ask.key))):
            if change != _digest(str(ask.change)):
                raise KeyReused
            return Answer(self._config.server_id, sealed.cart, replayed=True, origin=_ORIGIN, who=sealed.who)
        answer, token = self._changed(sealed, ask)
        if self._newest:
            await self._newest.move(session, sealed.cart.revision, answer.cart.revision, ask)
        return replace(answer, carried=token)

    async def login(self, session: str, login: Login) -> Answer:
        """The same new token for the same old one: sent again with its key, it is the same login."""
        before = self._create(login.to) if login.fresh else self._open(session, login.carried)
        if self._newest and not login.fresh:
            await self._newest.bury(session, before.cart.revision, login.key)
        moved = replace(before, session=login.to, used=self._clock(), who=login.who)
        token = self._sealer.seal(moved)
        return Answer(self._config.server_id, moved.cart, origin=_ORIGIN, carried=token, who=login.who)

    async def logout(self, session: str, carried: str = "") -> None:
        before = self._open(session, carried)
        if self._newest:
            await self._newest.bury(session, before.cart.revision)

    async def check(self) -> None:
        if self._newest:
            await self._newest.ping()

    def held(self) -> None:
        """None of them die with this process."""

    def figures(self) -> dict[str, float]:
        return {}

    async def close(self) -> None:
        if self._newest:
            await self._newest.close()

    def _create(self, session: str) -> Sealed:
        now = self._clock()
        return Sealed(session, Cart(), born=now, used=now)

    def _open(self, session: str, carried: str) -> Sealed:
        if not carried:
            raise NoSuchSession
        return self._sealer.open(carried, session, self._clock())

    def _changed(self, sealed: Sealed, ask: Ask) -> tuple[Answer, str]:
        before = sealed.cart
        if ask.if_revision is not None and ask.if_revision != before.revision:
            raise RevisionMoved(expected=ask.if_revision, found=before.revision)
        cart = before.after(ask.change)
        is_checkout = ask.change.verb is Verb.CHECKOUT
        order = order_of(before, ask.order_id, self._prices) if is_checkout else None
        done = sealed.done
        if ask.key:
            done = (*done, (_digest(ask.key), _digest(str(ask.change))))[-_KEYS_MAX:]
        token = self._sealer.seal(replace(sealed, cart=cart, used=self._clock(), done=done))
        if len(token) > self._config.cookie_max and not is_checkout:
            raise CartTooLarge(size=len(token), most=self._config.cookie_max)
        return Answer(self._config.server_id, cart, order, origin=_ORIGIN, who=sealed.who), token


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_DIGITS]


def _promises(*, refuses: bool) -> Promises:
    """With ``refuses`` the newest revision is known, and that needs a store."""
    return Promises(
        where="in a cookie of the shopper's, sealed",
        any_server=True,
        survives_server_crash=True,
        bounded_loss=0,
        survives_store_crash=True,
        survives_store_loss=True,
        reads_without_store=not refuses,
        writes_without_store=not refuses,
        concurrent_adds=refuses,
        keyed_retry_once=True,
        replays_first_answer=False,
        exact_checkout=refuses,
        never_stale=refuses,
    )
