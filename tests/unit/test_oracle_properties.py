"""A model shop plays honest and dishonest; the oracle must tell which.

The model knows the truth that a real history hides: whether an unanswered add got through.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from hypothesis import assume, given
from hypothesis import strategies as st

from lab.history import Kind, Operation, Outcome
from lab.ledger import Crash, Status
from lab.oracle import judge
from lab.verdict import Verdict, judge_arm

if TYPE_CHECKING:
    from random import Random

    from lab.ledger import Ledger

ITEMS = ("tea", "jam", "bread")
SERVERS = ("server-1", "server-2", "server-3")
CRASH = Crash(at=100.0, servers=frozenset({"server-2"}), healed=200.0)


@dataclass(frozen=True)
class Act:
    """What a shopper does, how it ends, and, unanswered, whether it got through."""

    kind: Kind
    item: str
    quantity: int
    outcome: Outcome
    got_through: bool
    has_key: bool


ACTS = st.builds(
    Act,
    kind=st.sampled_from([Kind.ADD, Kind.ADD, Kind.READ]),
    item=st.sampled_from(ITEMS),
    quantity=st.integers(1, 3),
    outcome=st.sampled_from([Outcome.OK, Outcome.OK, Outcome.FAIL, Outcome.INFO]),
    got_through=st.booleans(),
    has_key=st.booleans(),
)
SHOPPERS = st.lists(st.lists(ACTS, max_size=6), min_size=1, max_size=5)


@dataclass
class Shop:
    """``forgets`` makes it a shop whose servers keep carts in memory and lose them in the crash."""

    forgets: bool = False
    history: list[Operation] = field(default_factory=list)

    def serve(self, shopper: int, before: list[Act], after: list[Act]) -> None:
        cart: Counter[str] = Counter()
        home = SERVERS[shopper % len(SERVERS)]
        for number, act in enumerate(before):
            self._write_down(shopper, act, float(number), home, cart)
        if home in CRASH.servers and self.forgets:
            cart.clear()
            home = "server-1"
        for number, act in enumerate(after):
            self._write_down(shopper, act, CRASH.at + 1 + number, home, cart)
        look = Act(Kind.FINAL_READ, "", 0, Outcome.OK, got_through=True, has_key=False)
        self._write_down(shopper, look, 300.0, home, cart)

    def _write_down(self, shopper: int, act: Act, at: float, server: str, cart: Counter[str]) -> None:
        is_add = act.kind is Kind.ADD
        if is_add and (act.outcome is Outcome.OK or (act.outcome is Outcome.INFO and act.got_through)):
            cart[act.item] += act.quantity
        is_ok = act.outcome is Outcome.OK
        self.history.append(
            Operation(
                arm="arm",
                shopper=shopper,
                kind=act.kind,
                intended=at,
                invoked=at,
                completed=at + 0.1,
                outcome=act.outcome,
                item=act.item if is_add else None,
                quantity=act.quantity if is_add else 0,
                key=f"{shopper} {at}" if is_add and act.has_key else None,
                server=server if is_ok else None,
                cart=dict(cart) if is_ok else None,
            )
        )


def history_of(
    scripts: list[list[Act]], later: list[list[Act]] | None = None, *, forgets: bool = False
) -> list[Operation]:
    shop = Shop(forgets=forgets)
    for shopper, script in enumerate(scripts):
        shop.serve(shopper, script, later[shopper] if later and shopper < len(later) else [])
    return shop.history


def statuses(ledger: Ledger) -> dict[int, Status]:
    return {cart.shopper: cart.status for cart in ledger.carts}


@given(SHOPPERS, SHOPPERS)
def test_an_honest_shop_breaks_no_promise(before: list[list[Act]], after: list[list[Act]]) -> None:
    ledger = judge("arm", history_of(before, after), CRASH)
    assert set(statuses(ledger).values()) <= {Status.KEPT, Status.UNKNOWN}
    assert (ledger.strangers, ledger.stale) == (0, 0)
    assert judge_arm(ledger, "kept").verdict is not Verdict.BROKEN


@given(SHOPPERS, st.data())
def test_one_acknowledged_piece_taken_away_is_lost_exactly_there(
    scripts: list[list[Act]], data: st.DataObject
) -> None:
    history = history_of(scripts)
    honest = judge("arm", history)
    promised = [(cart.shopper, item) for cart in honest.carts for item in cart.items if item.promised]
    assume(promised)
    shopper, victim = data.draw(st.sampled_from(promised))
    robbed = [
        replace(op, cart={**(op.cart or {}), victim.item: victim.promised - 1})
        if op.kind is Kind.FINAL_READ and op.shopper == shopper
        else op
        for op in history
    ]
    ledger = judge("arm", robbed)
    assert statuses(ledger) == {**statuses(honest), shopper: Status.LOST}
    lost = [item.item for cart in ledger.carts for item in cart.items if item.status is Status.LOST]
    assert lost == [victim.item]


@given(SHOPPERS, st.lists(st.tuples(st.integers(0, 4), st.sampled_from(ITEMS), st.floats(0, 90)), max_size=5))
def test_what_nobody_knows_never_makes_a_loss(
    scripts: list[list[Act]], unanswered: list[tuple[int, str, float]]
) -> None:
    history = history_of(scripts)
    before = statuses(judge("arm", history))
    more = [
        Operation(
            arm="arm",
            shopper=shopper % len(scripts),
            kind=Kind.ADD,
            intended=at,
            invoked=at,
            completed=None,
            outcome=Outcome.INFO,
            item=item,
            quantity=1,
        )
        for shopper, item, at in unanswered
    ]
    assert statuses(judge("arm", [*history, *more])) == before


@given(SHOPPERS, SHOPPERS, st.randoms())
def test_the_order_in_which_a_history_was_written_down_does_not_matter(
    before: list[list[Act]], after: list[list[Act]], rng: Random
) -> None:
    history = history_of(before, after, forgets=True)
    shuffled = list(history)
    rng.shuffle(shuffled)
    assert judge("arm", shuffled, CRASH) == judge("arm", history, CRASH)


@given(SHOPPERS, SHOPPERS)
def test_a_crash_takes_the_carts_in_its_memory_and_no_other(
    before: list[list[Act]], after: list[list[Act]]
) -> None:
    ledger = judge("arm", history_of(before, after, forgets=True), CRASH)
    lost = {cart.shopper for cart in ledger.carts if cart.status is Status.LOST}
    blurred = {cart.shopper for cart in ledger.carts if any(i.possible > i.promised for i in cart.items)}
    at_risk = {cart.shopper for cart in ledger.at_risk}
    assert lost <= at_risk <= lost | blurred
    if lost or not at_risk:
        expected = Verdict.HELD if lost else Verdict.CANNOT_TELL
        assert judge_arm(ledger, "lost").verdict is expected


@given(SHOPPERS)
def test_carts_are_counted_once_each(scripts: list[list[Act]]) -> None:
    ledger = judge("arm", history_of(scripts), CRASH)
    assert sum(ledger.counts.values()) == len(ledger.carts) == len(scripts)
    assert len(ledger.at_risk) + len(ledger.others) == len(scripts)
