"""Carts in a store that all servers share, for every strategy that keeps them there.

One hash a cart, one atomic script a request. No server reads a cart to write it back changed, so
two servers cannot overwrite each other, and what was acknowledged survives the server that did it.
The clock is the store's own, the only one that all servers agree on.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from services.cart.errors import KeyReused, LineIsFull, NoSuchSession, NothingToBuy, RevisionMoved, StoreCut
from services.cart.model import LINE_MAX, Cart, Verb
from services.cart.session import LINEAGE_LENGTH
from services.cart.store import Script, Store
from services.cart.strategies.records import answer_of, cart_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.cart.config import Config
    from services.cart.strategies.protocol import Answer, Ask, Login

#: How a cart is laid out in the store. A release that changes it must first be able to read both.
LAYOUT = 1
ORIGIN = "store"
_ORDER_SECONDS = 7 * 24 * 3600
_WORDS = json.JSONEncoder(separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Copy:
    """A cart as it was in the store, in which epoch, and whether that is the epoch of who holds it."""

    cart: Cart
    epoch: int
    is_mine: bool = False
    who: str = ""

    @property
    def tag(self) -> str:
        return f"{self.epoch}:{self.cart.revision}"


@dataclass(frozen=True, slots=True)
class Owner:
    """Who writes, with a copy of which epoch. ``claims``: to be in charge, whoever was."""

    name: str
    epoch: int
    claims: bool = False


class Fenced(Exception):
    """Another server has been in charge of this session; nothing was written."""


class CartsInStore:
    def __init__(self, config: Config, prices: Mapping[str, int]) -> None:
        self._config = config
        self._prices = prices
        self._read = _script("read.lua")
        self._change = _script("change.lua")
        self._login = _script("login.lua")
        self._logout = _script("logout.lua")
        self._store = Store(config)
        #: From our monotonic clock to the store's, ms; unknown before the first answer.
        self._ahead: float | None = None

    async def read(self, session: str, known: Copy | None = None) -> Copy:
        """The cart; ``known`` itself when the store says that it is still so."""
        tag = known.tag if known else ""
        status, found = await self._run(
            self._read, [self._key(session)], _ms(self._config.session_ttl), LAYOUT, tag
        )
        if known and status == "same":
            return known
        if status != "ok":
            _refuse(status, found)
        record = json.loads(found)
        return Copy(cart_of(record), record["epoch"], who=record.get("who", ""))

    async def change(self, session: str, ask: Ask, owner: Owner | None = None) -> tuple[Answer, int]:
        """The answer, and the epoch that it was given in."""
        key = self._key(session)
        line = self._line(session)
        keys = [key, f"{line}:op:{ask.key or ''}", f"{line}:order:{ask.order_id}"]
        status, found = await self._run(self._change, keys, self._words(ask, owner))
        if status not in ("ok", "replayed"):
            _refuse(status, found, ask)
        record = json.loads(found)
        return answer_of(record, ORIGIN, replayed=status == "replayed"), record["epoch"]

    async def login(self, session: str, login: Login, owner: Owner | None = None) -> tuple[Answer, int]:
        config = self._config
        words: dict[str, Any] = {
            "who": login.who,
            "to": login.to,
            "server": config.server_id,
            "layout": LAYOUT,
            "idle_ms": _ms(config.session_ttl),
            "max_ms": _ms(config.session_max),
            "dead_ms": _ms(config.op_window),
            "fresh": login.fresh,
            "keyed": login.key is not None,
        }
        if owner:
            words["owner"] = owner.name
        keys = [self._key(session or login.to), self._key(login.to)]
        status, found = await self._run(self._login, keys, _WORDS(words))
        if status not in ("ok", "replayed"):
            _refuse(status, found)
        record = json.loads(found)
        return answer_of(record, ORIGIN, replayed=status == "replayed"), record["epoch"]

    async def logout(self, session: str) -> None:
        status, found = await self._run(self._logout, [self._key(session)], _ms(self._config.op_window))
        if status != "ok":
            _refuse(status, found)

    async def check(self) -> None:
        await self._store.check()

    async def close(self) -> None:
        await self._store.close()

    def _key(self, session: str) -> str:
        return f"{self._line(session)}{session[LINEAGE_LENGTH:]}"

    def _line(self, session: str) -> str:
        """What a login does not change. Records stand under it, so a key counts once across a login.

        The braces keep all keys of a shopper on one node of a cluster, as one script needs.
        """
        return f"{self._config.store_prefix}s:{{{session[:LINEAGE_LENGTH]}}}"

    async def _run(self, script: Script, keys: list[str], *arguments: str | int) -> tuple[str, Any]:
        sent = time.monotonic() * 1000
        status, *found = await self._store.run(script, keys, *arguments)
        if len(found) > 1:
            # Too much by the way to the store, never too little: no change is called late too soon.
            self._ahead = int(found[1]) - sent
        return status, found[0] if found else None

    def _words(self, ask: Ask, owner: Owner | None) -> str:
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
        if self._ahead is not None:
            words["until_ms"] = int(time.monotonic() * 1000 + self._ahead + _ms(config.store_timeout))
        if owner:
            words |= {"owner": owner.name, "epoch": owner.epoch, "claims": owner.claims}
        if change.verb is Verb.CHECKOUT:
            words |= {"order_id": ask.order_id, "order_ms": _ms(_ORDER_SECONDS), "prices": dict(self._prices)}
        return _WORDS(words)


def _refuse(status: str, found: Any, ask: Ask | None = None) -> NoReturn:
    match status, ask:
        case "gone", _:
            raise NoSuchSession
        case "fenced", _:
            raise Fenced
        case "late", _:
            raise StoreCut("It came to the store after its deadline and was not done.", attempted=False)
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


def _script(name: str) -> Script:
    return Script.of(Path(__file__).with_name(name).read_text(encoding="utf-8"))
