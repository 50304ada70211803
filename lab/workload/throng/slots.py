"""The throng's own history: 33 bytes a request, with what many answers share written down once. Pure.

Nothing is lost by that: ``operations`` gives back the same operations that one object a request
would have held.
"""

from __future__ import annotations

from math import isnan, nan
from struct import Struct
from typing import TYPE_CHECKING, Any, NamedTuple

from lab.history import Kind, Operation, Outcome
from lab.workload.throng.wishes import FINAL_READ, STEPS

if TYPE_CHECKING:
    from collections.abc import Hashable

    from lab.workload.throng.wishes import Wishes

#: invoked, completed, outcome (0: never asked), status (0: none), facts, cart (0: none shown), session.
_SLOT = Struct("<ddBHII6s")
_OUTCOMES = (None, Outcome.OK, Outcome.FAIL, Outcome.INFO)
_NUMBER = {outcome: number for number, outcome in enumerate(_OUTCOMES)}
_FINGERPRINT = 12
_NO_SESSION = bytes(_FINGERPRINT // 2)
_MICROSECONDS = 6


class Facts(NamedTuple):
    """What an answer says about itself, the same for very many answers."""

    server: str | None = None
    origin: str | None = None
    tries: int = 1
    moved_from: str | None = None
    error: str | None = None
    #: Only one that is no fingerprint as our servers make them.
    session: str | None = None


class Said(NamedTuple):
    """How one request ended; ``completed`` is None when it was cut short."""

    invoked: float
    completed: float | None
    outcome: Outcome
    status: int | None = None
    facts: Facts = Facts()
    cart: dict[str, int] | None = None
    session: str | None = None


class Slots:
    """Of the shoppers ``first`` to ``first + count - 1`` of ``arm``."""

    def __init__(self, arm: str, wishes: Wishes, first: int, count: int) -> None:
        self._arm = arm
        self._wishes = wishes
        self._first = first
        self._slots = bytearray(_SLOT.size * STEPS * count)
        self._more: dict[int, list[bytes]] = {}
        self._facts = _Table()
        self._carts = _Table()

    def put(self, shopper: int, step: int, said: Said) -> None:
        """A second final read, and every further one, stands beside the slots."""
        session, facts = _packed_session(said.session), said.facts
        if said.session is not None and session == _NO_SESSION:
            facts = facts._replace(session=said.session)
        slot = _SLOT.pack(
            said.invoked,
            nan if said.completed is None else said.completed,
            _NUMBER[said.outcome],
            said.status or 0,
            self._facts.number(facts),
            0 if said.cart is None else 1 + self._carts.number(tuple(said.cart.items())),
            session,
        )
        at = self._place(shopper, step)
        if self._slots[at + 16]:
            self._more.setdefault(shopper, []).append(slot)
        else:
            self._slots[at : at + _SLOT.size] = slot

    def operations(self, shopper: int) -> list[Operation]:
        """In the order in which they were asked."""
        found = []
        for step in range(STEPS):
            at = self._place(shopper, step)
            if self._slots[at + 16]:
                found.append(self._operation(shopper, step, self._slots[at : at + _SLOT.size]))
        return found + [self._operation(shopper, FINAL_READ, slot) for slot in self._more.get(shopper, ())]

    def _place(self, shopper: int, step: int) -> int:
        return _SLOT.size * (STEPS * (shopper - self._first) + step)

    def _operation(self, shopper: int, step: int, slot: bytes | bytearray) -> Operation:
        invoked, completed, outcome, status, facts_at, cart_at, session = _SLOT.unpack(slot)
        facts: Facts = self._facts[facts_at]
        is_add = step != FINAL_READ
        wish = self._wishes.of(shopper, step) if is_add else None
        return Operation(
            arm=self._arm,
            shopper=shopper,
            kind=Kind.ADD if is_add else Kind.FINAL_READ,
            intended=round(invoked, _MICROSECONDS),
            invoked=round(invoked, _MICROSECONDS),
            completed=None if isnan(completed) else round(completed, _MICROSECONDS),
            outcome=_OUTCOMES[outcome] or Outcome.INFO,
            item=self._wishes.products[wish.number].item if wish else None,
            quantity=1 if is_add else 0,
            key=wish.key if wish else None,
            status=status or None,
            server=facts.server,
            origin=facts.origin,
            session=facts.session if session == _NO_SESSION else session.hex(),
            cart=dict(self._carts[cart_at - 1]) if cart_at else None,
            tries=facts.tries,
            moved_from=facts.moved_from,
            error=facts.error,
        )


class _Table:
    """Values by number, each once."""

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}
        self._values: list[Hashable] = []

    def number(self, value: Hashable) -> int:
        number = self._numbers.get(value)
        if number is None:
            number = self._numbers[value] = len(self._values)
            self._values.append(value)
        return number

    def __getitem__(self, number: int) -> Any:
        return self._values[number]


def _packed_session(session: str | None) -> bytes:
    """``_NO_SESSION`` for one that cannot be packed."""
    if session is None or len(session) != _FINGERPRINT:
        return _NO_SESSION
    try:
        packed = bytes.fromhex(session)
    except ValueError:
        return _NO_SESSION
    return packed if packed.hex() == session else _NO_SESSION
