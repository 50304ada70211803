"""stateless: carts live in a store that all servers share; this process holds none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from services.cart.strategies.in_store import ORIGIN, CartsInStore
from services.cart.strategies.promises import Promises
from services.cart.strategies.protocol import Answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.cart.config import Config
    from services.cart.strategies.protocol import Ask, Login


class Stateless:
    name = "stateless"
    promises = Promises(
        where="in the store",
        any_server=True,
        survives_server_crash=True,
        bounded_loss=0,
        survives_store_crash=True,
        survives_store_loss=False,
        reads_without_store=False,
        writes_without_store=False,
        concurrent_adds=True,
        keyed_retry_once=True,
        replays_first_answer=True,
        exact_checkout=True,
        never_stale=True,
    )

    def __init__(self, config: Config, prices: Mapping[str, int]) -> None:
        self._server = config.server_id
        self._carts = CartsInStore(config, prices)

    async def start(self) -> dict[str, Any]:
        return {}

    async def read(self, session: str, carried: str = "") -> Answer:  # noqa: ARG002 - nobody carries anything
        copy = await self._carts.read(session)
        return Answer(self._server, copy.cart, origin=ORIGIN, who=copy.who)

    async def change(self, session: str, ask: Ask) -> Answer:
        answer, _ = await self._carts.change(session, ask)
        return answer

    async def login(self, session: str, login: Login) -> Answer:
        answer, _ = await self._carts.login(session, login)
        return answer

    async def logout(self, session: str, carried: str = "") -> None:  # noqa: ARG002 - as above
        await self._carts.logout(session)

    async def check(self) -> None:
        await self._carts.check()

    def held(self) -> None:
        """None of them die with this process."""

    def figures(self) -> dict[str, float]:
        return {}

    async def close(self) -> None:
        await self._carts.close()
