"""The newest revision of each carried cart, in a store: what refuses an old cookie."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from services.cart.errors import CartRolledBack, NoSuchSession
from services.cart.store import Script, Store

if TYPE_CHECKING:
    from services.cart.config import Config
    from services.cart.strategies.protocol import Ask

_DEAD = "dead"
_SCRIPT = Script.of(Path(__file__).with_name("newest.lua").read_text(encoding="utf-8"))


class Newest:
    def __init__(self, config: Config) -> None:
        self._config = config
        self._store = Store(config)

    async def check(self, session: str, carried: int) -> None:
        """Raise ``CartRolledBack`` when a newer one than ``carried`` was given out."""
        await self._run(session, carried, "", "")

    async def move(self, session: str, carried: int, to: int, ask: Ask) -> None:
        """One of all changes of a revision gets through; a change that changes nothing always."""
        key = f"{ask.key} {ask.change} {carried}" if ask.key else ""
        await self._run(session, carried, to if to != carried else "", key)

    async def bury(self, session: str, carried: int, key: str | None = None) -> None:
        """No cart of this session is good any more; only the same login again gets through."""
        await self._run(session, carried, _DEAD, f"{key} login {carried}" if key else "")

    async def ping(self) -> None:
        await self._store.check()

    async def close(self) -> None:
        await self._store.close()

    async def _run(self, session: str, carried: int, to: int | str, key: str) -> None:
        name = f"{self._config.store_prefix}newest:{{{session}}}"
        living = int(self._config.session_max * 1000)
        status, *found = await self._store.run(_SCRIPT, [name], carried, to, key, living)
        if status == "gone":
            raise NoSuchSession
        if status != "ok":
            raise CartRolledBack(carried=carried, newest=int(found[0]))
