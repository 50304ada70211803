"""What only the memory strategy can be asked: its clock and its bounds."""

from __future__ import annotations

import asyncio

import pytest

from services.cart.config import Config
from services.cart.errors import KeyReused, NoSuchSession, NothingToBuy, StoreCut
from services.cart.model import Change, Verb
from services.cart.strategies.memory import Memory
from services.cart.strategies.protocol import Answer, Ask

ADD = Change(Verb.ADD, "tea", 1)


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Carts:
    """A memory strategy and its clock, asked without a loop: it never awaits."""

    def __init__(self, config: Config) -> None:
        self.clock = Clock()
        self.memory = Memory(config, {"tea": 350}, self.clock)

    def start(self, session: str, key: str | None = None) -> Answer:
        return asyncio.run(self.memory.change(session, Ask(ADD, create=True, key=key)))

    def add(self, session: str, key: str | None = None) -> Answer:
        return asyncio.run(self.memory.change(session, Ask(ADD, key=key)))

    def is_there(self, session: str) -> bool:
        try:
            asyncio.run(self.memory.read(session))
        except NoSuchSession:
            return False
        return True


@pytest.fixture
def carts() -> Carts:
    return Carts(Config(session_ttl=60, session_max=100, op_window=10, max_sessions=3))


def test_a_cart_lives_its_time_after_the_last_touch_and_no_longer(carts: Carts) -> None:
    carts.start("a")
    carts.clock.now += 59
    assert carts.is_there("a")
    carts.clock.now += 30
    carts.add("a")
    carts.clock.now += 10
    assert carts.is_there("a")


def test_an_untouched_cart_is_dropped(carts: Carts) -> None:
    carts.start("a")
    carts.clock.now += 60
    assert not carts.is_there("a")
    assert carts.memory.held() == 0


def test_no_touch_keeps_a_cart_for_ever(carts: Carts) -> None:
    carts.start("a")
    for _ in range(10):
        carts.clock.now += 9.9
        assert carts.is_there("a")
    carts.clock.now += 1
    assert not carts.is_there("a")


def test_one_expired_cart_does_not_hide_another(carts: Carts) -> None:
    carts.start("a")
    carts.clock.now += 30
    carts.start("b")
    carts.clock.now += 40
    assert not carts.is_there("a")
    assert carts.is_there("b")
    assert carts.memory.held() == 1


def test_a_cart_in_use_does_not_keep_the_forgotten_ones(carts: Carts) -> None:
    carts.start("used")
    carts.start("forgotten")
    carts.clock.now += 30
    assert carts.is_there("used")
    carts.clock.now += 30
    assert carts.memory.held() == 1
    assert carts.is_there("used")


def test_a_full_server_refuses_new_carts_and_keeps_the_old(carts: Carts) -> None:
    for session in "abc":
        carts.start(session)
    with pytest.raises(StoreCut) as refused:
        carts.start("d")
    assert not refused.value.attempted
    assert all(carts.is_there(session) for session in "abc")
    carts.clock.now += 60
    carts.start("d")
    assert carts.memory.held() == 1


def test_a_refused_first_change_leaves_no_cart(carts: Carts) -> None:
    with pytest.raises(NothingToBuy):
        asyncio.run(carts.memory.change("a", Ask(Change(Verb.CHECKOUT), create=True)))
    assert carts.memory.held() == 0


def test_a_key_is_remembered_for_its_window(carts: Carts) -> None:
    carts.start("a")
    carts.add("a", key="k")
    carts.clock.now += 9
    assert carts.add("a", key="k").replayed
    carts.clock.now += 1
    assert not carts.add("a", key="k").replayed


def test_a_key_that_started_the_cart_is_remembered_too(carts: Carts) -> None:
    carts.start("a", key="k")
    assert carts.add("a", key="k").replayed
    with pytest.raises(KeyReused):
        asyncio.run(carts.memory.change("a", Ask(Change(Verb.REMOVE, "tea"), key="k")))


def test_keys_do_not_pile_up(carts: Carts) -> None:
    carts.start("a")
    for number in range(5_000):
        carts.add("a", key=str(number))
    assert len(carts.memory._sessions["a"].records) == 1_000
    carts.clock.now += 11
    carts.add("a", key="last")
    assert len(carts.memory._sessions["a"].records) == 1
