"""write_through: every change goes to the store first; the server keeps a copy to read from.

A copy is shown only after the store confirmed it by epoch and revision, a question of a few bytes, so
a server that was paused and woke up shows no old cart. The epoch counts how often the session changed
hands: a change from a copy of an older epoch is fenced off by the store, and the server loads the cart
anew before it tries again. When the store is away, a copy is all there is; it is shown, and the answer
says that nobody confirmed it.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from services.cart.errors import NoSuchSession, StoreCut
from services.cart.strategies.in_store import ORIGIN, CartsInStore, Copy, Fenced, Owner
from services.cart.strategies.promises import Promises
from services.cart.strategies.protocol import Answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.cart.config import Config
    from services.cart.strategies.protocol import Ask, Login

LOCAL = "local"


class WriteThrough:
    name = "write_through"
    promises = Promises(
        where="in the store, with a copy on the server that serves it",
        any_server=True,
        survives_server_crash=True,
        bounded_loss=0,
        survives_store_crash=True,
        survives_store_loss=False,
        reads_without_store=True,
        writes_without_store=False,
        concurrent_adds=True,
        keyed_retry_once=True,
        replays_first_answer=True,
        exact_checkout=True,
        never_stale=True,
    )

    def __init__(self, config: Config, prices: Mapping[str, int]) -> None:
        self._config = config
        self._carts = CartsInStore(config, prices)
        #: Those used last stand last. A copy may be dropped at any time.
        self._copies: OrderedDict[str, Copy] = OrderedDict()
        self._confirmed = self._loaded = self._unverified = self._fenced = 0

    async def start(self) -> dict[str, Any]:
        return {}

    async def read(self, session: str, carried: str = "") -> Answer:  # noqa: ARG002 - nobody carries anything
        known = self._copies.get(session)
        try:
            copy = await self._carts.read(session, known)
        except NoSuchSession:
            self._copies.pop(session, None)
            raise
        except StoreCut:
            if not known:
                raise
            self._unverified += 1
            return Answer(self._config.server_id, known.cart, origin=LOCAL, verified=False, who=known.who)
        is_same = copy is known
        self._confirmed += is_same
        self._loaded += not is_same
        self._keep(session, copy)
        return Answer(self._config.server_id, copy.cart, origin=LOCAL if is_same else ORIGIN, who=copy.who)

    async def change(self, session: str, ask: Ask) -> Answer:
        known = self._copies.get(session)
        try:
            try:
                answer, epoch = await self._carts.change(session, ask, self._owner(known))
            except Fenced:
                self._fenced += 1
                self._copies.pop(session, None)
                answer, epoch = await self._carts.change(session, ask, self._owner(None))
        except NoSuchSession:
            self._copies.pop(session, None)
            raise
        if not answer.replayed:
            self._keep(session, Copy(answer.cart, epoch, is_mine=True, who=answer.who))
        return answer

    async def login(self, session: str, login: Login) -> Answer:
        try:
            answer, epoch = await self._carts.login(session, login, self._owner(None))
        finally:
            self._copies.pop(session, None)
        if not answer.replayed:
            self._keep(login.to, Copy(answer.cart, epoch, is_mine=True, who=login.who))
        return answer

    async def logout(self, session: str, carried: str = "") -> None:  # noqa: ARG002 - as above
        self._copies.pop(session, None)
        await self._carts.logout(session)

    async def check(self) -> None:
        """Ready also without the store: all servers lose it together, and each can show its copies."""

    def held(self) -> None:
        """None of them die with this process: what it holds are copies."""

    def figures(self) -> dict[str, float]:
        """Copies held; reads from a confirmed copy, loaded, unconfirmed; changes that were fenced off."""
        return {
            "copies": len(self._copies),
            "reads_confirmed": self._confirmed,
            "reads_loaded": self._loaded,
            "reads_unverified": self._unverified,
            "fenced": self._fenced,
        }

    async def close(self) -> None:
        await self._carts.close()

    def _owner(self, known: Copy | None) -> Owner:
        """Who has no copy of an epoch of its own asks to be in charge."""
        if known and known.is_mine:
            return Owner(self._config.server_id, known.epoch)
        return Owner(self._config.server_id, 0, claims=True)

    def _keep(self, session: str, copy: Copy) -> None:
        """Answers may come back in another order than they were given; the newest copy stays."""
        known = self._copies.get(session)
        if known and (known.epoch, known.cart.revision) > (copy.epoch, copy.cart.revision):
            return
        self._copies[session] = copy
        self._copies.move_to_end(session)
        if len(self._copies) > self._config.max_sessions:
            self._copies.popitem(last=False)
