"""stateless: carts live in a store that all servers share; this process holds none.

One hash a cart, one atomic script a request. No server reads a cart to write it back changed, so
two servers cannot overwrite each other, and what was acknowledged survives the server that did it.
The clock is the store's own, the only one that all servers agree on.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from services.cart.errors import KeyReused, LineIsFull, NoSuchSession, NothingToBuy, RevisionMoved, StoreCut
from services.cart.model import LINE_MAX, Verb
from services.cart.store import Script, Store
from services.cart.strategies.promises import Promises
from services.cart.strategies.protocol import Answer
from services.cart.strategies.records import answer_of, cart_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.cart.config import Config
    from services.cart.strategies.protocol import Ask

#: How a cart is laid out in the store. A release that changes it must first be able to read both.
LAYOUT = 1
_ORIGIN = "store"
_ORDER_SECONDS = 7 * 24 * 3600


def _script(name: str) -> Script:
    return Script.of(Path(__file__).with_name(name).read_text(encoding="utf-8"))


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
        self._config = config
        self._prices = prices
        self._read = _script("read.lua")
        self._change = _script("change.lua")
        self._store = Store(config)

    async def read(self, session: str, carried: str = "") -> Answer:  # noqa: ARG002 - nobody carries anything
        status, found = await self._run(
            self._read, [self._key(session)], _ms(self._config.session_ttl), LAYOUT
        )
        if status != "ok":
            _refuse(status, found)
        return Answer(self._config.server_id, cart_of(json.loads(found)), origin=_ORIGIN)

    async def change(self, session: str, ask: Ask) -> Answer:
        key = self._key(session)
        keys = [key, f"{key}:op:{ask.key or ''}", f"{key}:order:{ask.order_id}"]
        status, found = await self._run(self._change, keys, self._words(ask))
        if status not in ("ok", "replayed"):
            _refuse(status, found, ask)
        return answer_of(json.loads(found), _ORIGIN, replayed=status == "replayed")

    async def check(self) -> None:
        await self._store.check()

    def held(self) -> None:
        """None of them die with this process."""

    async def close(self) -> None:
        await self._store.close()

    def _key(self, session: str) -> str:
        # The braces keep all keys of a session on one node of a cluster, as one script needs.
        return f"{self._config.store_prefix}s:{{{session}}}"

    async def _run(self, script: Script, keys: list[str], *arguments: str | int) -> tuple[str, Any]:
        status, *found = await self._store.run(script, keys, *arguments)
        return status, found[0] if found else None

    def _words(self, ask: Ask) -> str:
        """What the script is asked; a member that is left out stands for "none"."""
        change, config = ask.change, self._config
        words: dict[str, Any] = {
            "verb": change.verb,
            "sku": change.sku,
            "quantity": change.quantity,
            "change": str(change),
            "server": config.server_id,
            "layout": LAYOUT,
            "line_max": LINE_MAX,
            "idle_ms": _ms(config.session_ttl),
            "max_ms": _ms(config.session_max),
            "window_ms": _ms(config.op_window),
        }
        if ask.create:
            words["create"] = True
        if ask.key:
            words["key"] = ask.key
        if ask.if_revision is not None:
            words["if_revision"] = ask.if_revision
        if change.verb is Verb.CHECKOUT:
            words |= {"order_id": ask.order_id, "order_ms": _ms(_ORDER_SECONDS), "prices": dict(self._prices)}
        return json.dumps(words, separators=(",", ":"))


def _refuse(status: str, found: Any, ask: Ask | None = None) -> NoReturn:
    match status, ask:
        case "gone", _:
            raise NoSuchSession
        case "reused", _:
            raise KeyReused
        case "nothing", _:
            raise NothingToBuy
        case "moved", asked if asked is not None and asked.if_revision is not None:
            raise RevisionMoved(expected=asked.if_revision, found=int(found))
        case "full", asked if asked is not None:
            raise LineIsFull(sku=asked.change.sku, held=int(found), most=LINE_MAX)
    raise StoreCut(
        f"The cart is kept in layout {found}, newer than the {LAYOUT} that this release understands; "
        "it is left untouched. Ask a server of the newer release.",
        attempted=False,
    )


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
