"""naive_blob: GET the cart, change it here, SET it back. The bug that everybody ships.

Carts live in the store, so they survive a server, and one shopper with one tab never notices
anything. But between GET and SET others read the same old cart, and whoever writes last wins: of
two changes at once, both acknowledged, one is gone. Kept to be shown; nothing here is repaired. The
keys ride in the same blob, so a change that is lost is lost with its key. And a change that read the
cart before a login or a logout writes it back after: the dead session lives again.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from services.cart.clock import WALL
from services.cart.errors import KeyReused, NoSuchSession, RevisionMoved, StoreCut
from services.cart.model import Verb, order_of
from services.cart.store import Store
from services.cart.strategies.promises import Promises
from services.cart.strategies.protocol import Answer
from services.cart.strategies.records import answer_of, cart_of, flat, record_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.cart.config import Config
    from services.cart.strategies.protocol import Ask, Login

_LAYOUT = 1
_ORIGIN = "store"
#: Each is written again with every change.
_KEYS_MAX = 100

Blob = dict[str, Any]


class NaiveBlob:
    name = "naive_blob"
    promises = Promises(
        where="in the store, as one JSON read and written whole",
        any_server=True,
        survives_server_crash=True,
        bounded_loss=0,
        survives_store_crash=True,
        survives_store_loss=False,
        reads_without_store=False,
        writes_without_store=False,
        concurrent_adds=False,
        keyed_retry_once=True,
        replays_first_answer=True,
        exact_checkout=False,
        never_stale=False,
    )

    def __init__(self, config: Config, prices: Mapping[str, int]) -> None:
        self._config = config
        self._prices = prices
        self._store = Store(config)

    async def start(self) -> dict[str, Any]:
        return {}

    async def read(self, session: str, carried: str = "") -> Answer:  # noqa: ARG002 - nobody carries anything
        blob = await self._get(session)
        if blob is None:
            raise NoSuchSession
        return self._answer(blob)

    async def change(self, session: str, ask: Ask) -> Answer:
        blob = await self._get(session)
        if blob is None:
            if not ask.create:
                raise NoSuchSession
            blob = _new()
        if ask.key and (record := blob["records"].get(ask.key)):
            if record["change"] != str(ask.change):
                raise KeyReused
            return answer_of(record, _ORIGIN, replayed=True)
        answer = self._changed(blob, ask)
        await self._set(session, blob)
        return answer

    async def login(self, session: str, login: Login) -> Answer:
        blob = _new() if login.fresh else await self._get(session)
        if blob is None:
            moved = await self._get(login.to) if login.key else None
            if moved is None:
                raise NoSuchSession
            if moved.get("who") != login.who:
                raise KeyReused
            return self._answer(moved, replayed=True)
        blob["who"] = login.who
        await self._set(login.to, blob)
        await self._delete(session)
        return self._answer(blob)

    async def logout(self, session: str, carried: str = "") -> None:  # noqa: ARG002 - as above
        if not await self._delete(session):
            raise NoSuchSession

    async def check(self) -> None:
        await self._store.check()

    def held(self) -> None:
        """None of them die with this process."""

    def figures(self) -> dict[str, float]:
        return {}

    async def close(self) -> None:
        await self._store.close()

    def _changed(self, blob: Blob, ask: Ask) -> Answer:
        """The answer, and ``blob`` as it will be written."""
        before = cart_of(blob)
        if ask.if_revision is not None and ask.if_revision != before.revision:
            raise RevisionMoved(expected=ask.if_revision, found=before.revision)
        cart = before.after(ask.change)
        is_checkout = ask.change.verb is Verb.CHECKOUT
        order = order_of(before, ask.order_id, self._prices) if is_checkout else None
        answer = Answer(self._config.server_id, cart, order, origin=_ORIGIN, who=blob.get("who", ""))
        blob |= {"revision": cart.revision, "lines": flat(cart.lines)}
        if ask.key:
            until = WALL() + self._config.op_window
            records = blob["records"] | {ask.key: record_of(ask.change, answer) | {"until": until}}
            blob["records"] = dict(list(records.items())[-_KEYS_MAX:])
        return answer

    async def _get(self, session: str) -> Blob | None:
        idle = int(self._config.session_ttl * 1000)
        stored = await self._store.call("GETEX", self._key(session), "PX", idle)
        if stored is None:
            return None
        blob: Blob = json.loads(stored)
        if blob["layout"] > _LAYOUT:
            raise StoreCut(
                f"The cart is kept in layout {blob['layout']}, newer than the {_LAYOUT} that this release "
                "understands. Ask a server of the newer release.",
                attempted=False,
            )
        now = WALL()
        if now - blob["born"] >= self._config.session_max:
            return None
        blob["records"] = {key: each for key, each in blob["records"].items() if each["until"] > now}
        return blob

    async def _delete(self, session: str) -> bool:
        return bool(session) and bool(await self._store.call("DEL", self._key(session)))

    def _answer(self, blob: Blob, *, replayed: bool = False) -> Answer:
        return Answer(
            self._config.server_id,
            cart_of(blob),
            replayed=replayed,
            origin=_ORIGIN,
            who=blob.get("who", ""),
        )

    async def _set(self, session: str, blob: Blob) -> None:
        left = min(self._config.session_ttl, blob["born"] + self._config.session_max - WALL())
        await self._store.call("SET", self._key(session), json.dumps(blob), "PX", max(1, int(left * 1000)))

    def _key(self, session: str) -> str:
        return f"{self._config.store_prefix}blob:{{{session}}}"


def _new() -> Blob:
    return {"layout": _LAYOUT, "born": WALL(), "revision": 0, "lines": [], "records": {}}
