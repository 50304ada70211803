"""memory: carts live in this process, and die with it.

Nothing here awaits, so no two requests of one session can interleave and no lock is needed.
Sessions stand in the order they were last used, so the expired ones are at the front: each
request drops those, and no timer runs. The clock is monotonic; a wall clock that is set back or
forward keeps or kills no cart.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from services.cart.errors import KeyReused, NoSuchSession, RevisionMoved, StoreCut
from services.cart.model import Cart, Verb, order_of
from services.cart.strategies.promises import Promises
from services.cart.strategies.protocol import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from services.cart.config import Config
    from services.cart.model import Change, Order
    from services.cart.strategies.protocol import Ask, Login

#: Keys remembered a session; beyond it the oldest is forgotten before its window ends.
_KEYS_MAX = 1_000
_ORIGIN = "local"
#: Orders kept a session, the latest.
_ORDERS_MAX = 100


@dataclass(frozen=True, slots=True)
class Record:
    change: Change
    answer: Answer
    until: float


@lru_cache(maxsize=4096)
def _shared(change: Change) -> Change:
    """One value for all records of the same change: very many shoppers add the same thing."""
    return change


@dataclass(slots=True)
class Kept:
    born: float
    used: float
    cart: Cart = field(default_factory=Cart)
    records: dict[str, Record] = field(default_factory=dict)
    who: str = ""
    #: None until the first: an empty deque is larger than all the rest.
    orders: deque[Order] | None = None


class Memory:
    name = "memory"
    promises = Promises(
        where="in the memory of one server",
        any_server=False,
        survives_server_crash=False,
        bounded_loss=None,
        survives_store_crash=True,
        survives_store_loss=True,
        reads_without_store=True,
        writes_without_store=True,
        concurrent_adds=True,
        keyed_retry_once=True,
        replays_first_answer=True,
        exact_checkout=True,
        never_stale=True,
    )

    def __init__(
        self, config: Config, prices: Mapping[str, int], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._config = config
        self._prices = prices
        self._clock = clock
        self._sessions: OrderedDict[str, Kept] = OrderedDict()

    async def start(self) -> dict[str, Any]:
        return {}

    async def read(self, session: str, carried: str = "") -> Answer:  # noqa: ARG002 - nobody carries anything
        kept = self._use(session)
        return Answer(self._config.server_id, kept.cart, origin=_ORIGIN, who=kept.who)

    async def change(self, session: str, ask: Ask) -> Answer:
        kept = self._create() if ask.create else self._use(session)
        if replay := self._replay(kept, ask):
            return replay
        if ask.if_revision is not None and ask.if_revision != kept.cart.revision:
            raise RevisionMoved(expected=ask.if_revision, found=kept.cart.revision)
        cart = kept.cart.after(ask.change)
        order = None
        if ask.change.verb is Verb.CHECKOUT:
            order = order_of(kept.cart, ask.order_id, self._prices)
            kept.orders = kept.orders or deque(maxlen=_ORDERS_MAX)
            kept.orders.append(order)
        kept.cart = cart
        self._sessions[session] = kept
        answer = Answer(self._config.server_id, cart, order, origin=_ORIGIN, who=kept.who)
        self._remember(kept, ask, answer)
        return answer

    async def login(self, session: str, login: Login) -> Answer:
        return self._log_in(session, login)

    async def logout(self, session: str, carried: str = "") -> None:  # noqa: ARG002 - as above
        self._use(session)
        del self._sessions[session]

    async def check(self) -> None:
        """Nothing to be cut off from."""

    def held(self) -> int:
        self._drop_expired()
        return len(self._sessions)

    def figures(self) -> dict[str, float]:
        return {}

    async def close(self) -> None:
        """Nothing to close: the carts go with the process."""

    def _use(self, session: str) -> Kept:
        self._drop_expired()
        kept = self._sessions.get(session)
        if kept is None:
            raise NoSuchSession
        if self._is_expired(kept):  # too old, though it was used a moment ago
            del self._sessions[session]
            raise NoSuchSession
        kept.used = self._clock()
        self._sessions.move_to_end(session)
        return kept

    def _create(self) -> Kept:
        """A session that is kept only once its first change went well."""
        if self.held() >= self._config.max_sessions:
            raise StoreCut(
                f"This server holds {self._config.max_sessions} carts, its limit, and throws none away "
                "for a new one; try again when some have expired.",
                attempted=False,
            )
        now = self._clock()
        return Kept(born=now, used=now)

    def _log_in(self, session: str, login: Login) -> Answer:
        is_replay = session not in self._sessions and login.to in self._sessions
        if is_replay and login.key:
            kept = self._use(login.to)
            if kept.who != login.who:
                raise KeyReused
        else:
            kept = self._create() if login.fresh else self._use(session)
            kept.who = login.who
            self._sessions.pop(session, None)
            self._sessions[login.to] = kept
        return Answer(self._config.server_id, kept.cart, replayed=is_replay, origin=_ORIGIN, who=login.who)

    def _is_expired(self, kept: Kept) -> bool:
        now = self._clock()
        return now - kept.used >= self._config.session_ttl or now - kept.born >= self._config.session_max

    def _drop_expired(self) -> None:
        while self._sessions:
            oldest = next(iter(self._sessions))
            if not self._is_expired(self._sessions[oldest]):
                return
            del self._sessions[oldest]

    def _replay(self, kept: Kept, ask: Ask) -> Answer | None:
        record = kept.records.get(ask.key) if ask.key else None
        if record is None or record.until <= self._clock():
            return None
        if record.change != ask.change:
            raise KeyReused
        return replace(record.answer, replayed=True)

    def _remember(self, kept: Kept, ask: Ask, answer: Answer) -> None:
        if not ask.key:
            return
        now = self._clock()
        kept.records.pop(ask.key, None)
        while kept.records and (
            len(kept.records) >= _KEYS_MAX or next(iter(kept.records.values())).until <= now
        ):
            del kept.records[next(iter(kept.records))]
        kept.records[ask.key] = Record(_shared(ask.change), answer, now + self._config.op_window)
