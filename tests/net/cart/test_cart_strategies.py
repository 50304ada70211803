"""Every strategy does to a cart what the rules say, and nothing else, for any sequence of requests."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.cart import strategies
from services.cart.errors import CartError, KeyReused, NoSuchSession, RevisionMoved
from services.cart.model import QUANTITY_MAX, Cart, Change, Order, Verb, order_of
from services.cart.strategies.protocol import Answer, Ask

if TYPE_CHECKING:
    from services.cart.config import Config
    from tests.net.cart.conftest import CartShopper

SKUS = ["tea", "jam", "rye"]
PRICES = {"tea": 350, "jam": 1_999, "rye": 1}
SERVER = "server-1"

_changes = st.one_of(
    st.builds(Change, st.just(Verb.ADD), st.sampled_from(SKUS), st.integers(1, QUANTITY_MAX)),
    st.builds(Change, st.just(Verb.PUT), st.sampled_from(SKUS), st.integers(1, QUANTITY_MAX)),
    st.builds(Change, st.just(Verb.REMOVE), st.sampled_from(SKUS)),
    st.just(Change(Verb.CHECKOUT)),
)
_asks = st.builds(
    Ask,
    _changes,
    key=st.none() | st.sampled_from(["k1", "k2", "k3"]),
    if_revision=st.none() | st.integers(0, 5),
    order_id=st.uuids().map(lambda each: each.hex),
)


@dataclass
class Told:
    """What the rules alone say."""

    shows_first_answer: bool
    cart: Cart = field(default_factory=Cart)
    answers: dict[str, tuple[Change, Answer]] = field(default_factory=dict)

    def change(self, ask: Ask) -> Answer:
        if ask.key in self.answers:
            change, answer = self.answers[ask.key]
            if change != ask.change:
                raise KeyReused
            if not self.shows_first_answer:
                return Answer(SERVER, self.cart, replayed=True)
            return replace(answer, replayed=True)
        if ask.if_revision not in (None, self.cart.revision):
            raise RevisionMoved(expected=ask.if_revision or 0, found=self.cart.revision)
        after = self.cart.after(ask.change)
        order: Order | None = None
        if ask.change.verb is Verb.CHECKOUT:
            order = order_of(self.cart, ask.order_id, PRICES)
        self.cart = after
        answer = Answer(SERVER, after, order)
        if ask.key:
            self.answers[ask.key] = (ask.change, answer)
        return answer


@given(st.lists(_asks, min_size=1, max_size=12))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_it_does_what_the_rules_say(
    cart_config: Config, cart_shopper: type[CartShopper], asks: list[Ask]
) -> None:
    asyncio.run(_both(cart_config, cart_shopper, asks))


async def _both(config: Config, shopper: type[CartShopper], asks: list[Ask]) -> None:
    strategy = strategies.build(config, PRICES)
    rules, driver = Told(strategy.promises.replays_first_answer), shopper([strategy], secrets.token_hex(8))
    try:
        first = Ask(Change(Verb.ADD, "tea", 1), create=True)
        assert await driver.change(first) == rules.change(first)
        for ask in asks:
            try:
                expected: Answer | str = rules.change(ask)
            except CartError as problem:
                expected = f"{type(problem).__name__}: {problem}"
            try:
                found: Answer | str = await driver.change(ask)
            except CartError as problem:
                found = f"{type(problem).__name__}: {problem}"
            assert found == expected
            assert (await driver.read()).cart == rules.cart
    finally:
        await strategy.close()


@pytest.mark.parametrize(
    "change", [Change(Verb.ADD, "tea", 1), Change(Verb.REMOVE, "tea"), Change(Verb.CHECKOUT)]
)
async def test_nothing_creates_a_session_by_accident(cart_config: Config, change: Change) -> None:
    strategy = strategies.build(cart_config, PRICES)
    try:
        with pytest.raises(NoSuchSession):
            await strategy.change("nobody", Ask(change, key="k"))
        with pytest.raises(NoSuchSession):
            await strategy.read("nobody")
    finally:
        await strategy.close()


async def test_of_one_key_sent_many_times_at_once_one_does_it(
    cart_config: Config, cart_shopper: type[CartShopper]
) -> None:
    strategy = strategies.build(cart_config, PRICES)
    try:
        shopper = cart_shopper([strategy], "a")
        await shopper.change(Ask(Change(Verb.ADD, "tea", 1), create=True))
        # Connections are open before, so that all of them are really asked at once.
        await asyncio.gather(*(shopper.read() for _ in range(20)))
        ask = Ask(Change(Verb.ADD, "tea", 1), key="k")
        answers = await asyncio.gather(*(shopper.change(ask) for _ in range(20)))
        assert {answer.cart.quantity("tea") for answer in answers} == {2}
        assert (await shopper.read()).cart.quantity("tea") == 2
        if strategy.promises.replays_first_answer and strategy.promises.concurrent_adds:
            assert sorted(answer.replayed for answer in answers) == [False] + [True] * 19
    finally:
        await strategy.close()
