"""The rules of a cart, for any sequence of changes."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cart.errors import LineIsFull, NothingToBuy
from services.cart.model import LINE_MAX, QUANTITY_MAX, Cart, Change, Verb, order_of

SKUS = st.sampled_from(["tea", "jam", "rye"])
QUANTITIES = st.integers(1, QUANTITY_MAX)
ADDS = st.builds(Change, st.just(Verb.ADD), SKUS, QUANTITIES)
PUTS = st.builds(Change, st.just(Verb.PUT), SKUS, QUANTITIES)
REMOVES = st.builds(Change, st.just(Verb.REMOVE), SKUS)
CHECKOUTS = st.just(Change(Verb.CHECKOUT))
CHANGES = st.lists(ADDS | PUTS | REMOVES | CHECKOUTS, max_size=30)
PRICES = {"tea": 350, "jam": 425, "rye": 1}


def after(changes: list[Change]) -> tuple[Cart, int]:
    """The cart after all of them, and how much was bought on the way."""
    cart, bought = Cart(), 0
    for change in changes:
        try:
            changed = cart.after(change)
        except NothingToBuy:
            continue
        if change.verb is Verb.CHECKOUT:
            bought += order_of(cart, "o", PRICES).total
        cart = changed
    return cart, bought


@given(st.lists(ADDS, max_size=30))
def test_adds_sum_up_in_any_order(adds: list[Change]) -> None:
    wanted: Counter[str] = Counter()
    for change in adds:
        wanted[change.sku] += change.quantity
    assert dict(after(adds)[0].lines) == wanted
    assert dict(after(adds[::-1])[0].lines) == wanted


@given(CHANGES)
def test_no_line_is_ever_empty_or_double(changes: list[Change]) -> None:
    lines = after(changes)[0].lines
    assert all(quantity >= 1 for _, quantity in lines)
    assert len(dict(lines)) == len(lines)


@given(CHANGES, PUTS | REMOVES)
def test_put_and_remove_said_twice_are_said_once(changes: list[Change], change: Change) -> None:
    cart = after([*changes, change])[0]
    assert cart.after(change) is cart


@given(CHANGES, ADDS | PUTS | REMOVES)
def test_the_revision_moves_exactly_when_the_lines_do(changes: list[Change], change: Change) -> None:
    before = after(changes)[0]
    cart = before.after(change)
    assert (cart.revision - before.revision) == (cart.lines != before.lines)


@given(CHANGES)
def test_a_cart_is_a_value_that_no_change_touches(changes: list[Change]) -> None:
    cart = Cart((("tea", 2),), 7)
    for change in changes:
        cart.after(change)
    assert cart == Cart((("tea", 2),), 7)


@given(CHANGES)
def test_money_is_never_made_or_lost_by_buying(changes: list[Change]) -> None:
    cart, bought = after([change for change in changes if change.verb in (Verb.ADD, Verb.CHECKOUT)])
    added = sum(PRICES[each.sku] * each.quantity for each in changes if each.verb is Verb.ADD)
    assert bought + cart.total(PRICES) == added


def test_buying_takes_all_lines_and_an_empty_cart_cannot() -> None:
    cart = Cart((("tea", 2), ("jam", 1)), 3)
    assert cart.after(Change(Verb.CHECKOUT)) == Cart((), 4)
    with pytest.raises(NothingToBuy):
        Cart().after(Change(Verb.CHECKOUT))


def test_a_full_line_refuses_and_says_what_it_holds() -> None:
    cart = Cart((("tea", LINE_MAX - 1),), 3)
    assert cart.after(Change(Verb.ADD, "tea", 1)).quantity("tea") == LINE_MAX
    with pytest.raises(LineIsFull, match=str(LINE_MAX - 1)):
        cart.after(Change(Verb.ADD, "tea", 2))
