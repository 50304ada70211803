"""hybrid: what must not be lost goes through to the store; what only makes shopping pleasant stays here.

The cart is ``write_through`` within ``critical_deadline``: past it the answer is 503, and a change that
the store gets to later is not made, so nobody is told "no" and charged after all. What the shopper
looked at lately and what might please them, scores over the whole catalogue, live in this process alone
and die with it. A server that gets a session it does not know rebuilds them from the cart: the answer
says ``rebuilt``.

When a server dies, its sessions come to the others all at once. So one session is rebuilt once however
many ask (a single flight), at most ``rebuild_limit`` sessions are rebuilt at a time, and nobody waits
for it longer than the store's timeout: then the cart is shown without it.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from services.cart.model import Verb
from services.cart.recommend import recommend
from services.cart.strategies.protocol import Hot
from services.cart.strategies.write_through import WriteThrough

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.cart.config import Config
    from services.cart.model import Cart
    from services.cart.strategies.protocol import Answer, Ask, Login

_REBUILT = "rebuilt"
_SEEN_MAX = 10


@dataclass(frozen=True, slots=True)
class _Kept:
    """``epoch``: of the copy it was made from; in another one, another server knows better."""

    epoch: int
    hot: Hot


class Hybrid(WriteThrough):
    name = "hybrid"
    promises = replace(
        WriteThrough.promises, where="the cart in the store, what was looked at on the server that serves it"
    )

    def __init__(self, config: Config, prices: Mapping[str, int]) -> None:
        deadline = min(config.critical_deadline or config.store_timeout, config.store_timeout)
        super().__init__(replace(config, store_timeout=deadline), prices)
        self._patience = config.store_timeout
        self._prices = prices
        self._hot: OrderedDict[str, _Kept] = OrderedDict()
        self._flights: dict[str, asyncio.Task[Hot]] = {}
        self._room = asyncio.Semaphore(config.rebuild_limit)
        self._rebuilt = self._rebuilding = self._rebuilding_most = self._without = 0

    async def read(self, session: str, carried: str = "") -> Answer:
        answer = await super().read(session, carried)
        return await self._with_hot(session, answer)

    async def change(self, session: str, ask: Ask) -> Answer:
        answer = await super().change(session, ask)
        if ask.create and not answer.replayed:
            self._keep_hot(session, Hot())
        answer = await self._with_hot(session, answer)
        if answer.hot and ask.change.verb is not Verb.CHECKOUT and not answer.replayed:
            seen = (ask.change.sku, *(sku for sku in answer.hot.seen if sku != ask.change.sku))[:_SEEN_MAX]
            hot = self._scored(answer.cart, seen)
            self._keep_hot(session, hot)
            return replace(answer, hot=hot)
        return answer

    async def login(self, session: str, login: Login) -> Answer:
        answer = await super().login(session, login)
        kept = self._hot.pop(session, None)
        if kept or login.fresh:
            self._keep_hot(login.to, kept.hot if kept else Hot())
        return await self._with_hot(login.to, answer)

    async def logout(self, session: str, carried: str = "") -> None:
        self._hot.pop(session, None)
        await super().logout(session, carried)

    def figures(self) -> dict[str, float]:
        """Those of write_through; sessions with hot state; rebuilds, now and at most at a time, given up."""
        return super().figures() | {
            "hot": len(self._hot),
            "rebuilt": self._rebuilt,
            "rebuilding": self._rebuilding,
            "rebuilding_most": self._rebuilding_most,
            "without_hot": self._without,
        }

    async def close(self) -> None:
        for flight in list(self._flights.values()):
            flight.cancel()
        await super().close()

    async def _with_hot(self, session: str, answer: Answer) -> Answer:
        kept, copy = self._hot.get(session), self._copies.get(session)
        if kept and (copy is None or kept.epoch == copy.epoch):
            self._hot.move_to_end(session)
            return replace(answer, hot=kept.hot)
        flight = self._flights.get(session)
        if flight is None:
            flight = self._flights[session] = asyncio.create_task(self._rebuild(session, answer.cart))
            flight.add_done_callback(lambda _: self._flights.pop(session, None))
        try:
            async with asyncio.timeout(self._patience):
                hot = await asyncio.shield(flight)
        except TimeoutError:
            self._without += 1
            return answer
        return replace(answer, hot=hot, origin=_REBUILT)

    async def _rebuild(self, session: str, cart: Cart) -> Hot:
        async with self._room:
            self._rebuilding += 1
            self._rebuilding_most = max(self._rebuilding_most, self._rebuilding)
            try:
                # What a shop would ask its other services for takes time; the cap is felt with it.
                await asyncio.sleep(self._config.rebuild_delay)
                hot = self._scored(cart, tuple(sku for sku, _ in reversed(cart.lines))[:_SEEN_MAX])
            finally:
                self._rebuilding -= 1
        self._rebuilt += 1
        self._keep_hot(session, hot)
        return hot

    def _scored(self, cart: Cart, seen: tuple[str, ...]) -> Hot:
        return Hot(seen, recommend(self._prices, (sku for sku, _ in cart.lines), seen))

    def _keep_hot(self, session: str, hot: Hot) -> None:
        copy = self._copies.get(session)
        self._hot[session] = _Kept(copy.epoch if copy else 0, hot)
        self._hot.move_to_end(session)
        if len(self._hot) > self._config.max_sessions:
            self._hot.popitem(last=False)
