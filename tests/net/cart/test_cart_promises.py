"""What stands in a strategy's promises is so: kept where it is made, and seen broken where it is not."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import pytest

from services.cart import strategies
from services.cart.model import Change, Verb
from services.cart.strategies.protocol import Ask

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx

    from services.cart.config import Config
    from tests.net.cart.conftest import CartShopper

PRICES = {"tea": 350, "jam": 1_999}
TEA = Change(Verb.ADD, "tea", 1)
CLIENTS, ADDS = 20, 25


@pytest.fixture
async def shopper(cart_config: Config, cart_shopper: type[CartShopper]) -> AsyncIterator[CartShopper]:
    """As many as a shopper may meet: three of one site, or the one that the cart is tied to."""
    first = strategies.build(cart_config, PRICES)
    others = [replace(cart_config, server_id=name) for name in ("server-2", "server-3")]
    reached = others if first.promises.any_server else []
    shopper = cart_shopper([first, *(strategies.build(each, PRICES) for each in reached)])
    yield shopper
    await shopper.close()


async def test_of_500_adds_to_one_cart_at_once_none_is_lost_where_that_is_promised(
    shopper: CartShopper,
) -> None:
    async def shop(number: int) -> None:
        for _ in range(ADDS):
            await shopper.change(Ask(TEA), number)

    await shopper.change(Ask(Change(Verb.ADD, "jam", 1), create=True))
    await asyncio.gather(*(shop(number) for number in range(CLIENTS)))
    kept = (await shopper.read()).cart.quantity("tea")
    if shopper.servers[0].promises.concurrent_adds:
        assert kept == CLIENTS * ADDS
    else:
        assert kept < CLIENTS * ADDS, "the bug that is to be shown did not show"


async def test_two_items_added_at_once_are_both_there_where_that_is_promised(
    shopper: CartShopper,
) -> None:
    await shopper.change(Ask(TEA, create=True))
    rounds = 20
    for _ in range(rounds):
        both = (Ask(TEA), Ask(Change(Verb.ADD, "jam", 1)))
        await asyncio.gather(shopper.change(both[0], 0), shopper.change(both[1], 2))
    cart = (await shopper.read()).cart
    is_whole = (cart.quantity("tea"), cart.quantity("jam")) == (rounds + 1, rounds)
    assert is_whole == shopper.servers[0].promises.concurrent_adds


async def test_of_many_checkouts_at_once_each_piece_is_bought_once_where_that_is_promised(
    shopper: CartShopper,
) -> None:
    await shopper.change(Ask(replace(TEA, quantity=7), create=True))
    # Connections are open before, so that all of them are really asked at once.
    await asyncio.gather(
        *(shopper.read(each) for each in range(len(shopper.servers)) for _ in range(CLIENTS))
    )
    asks = (Ask(Change(Verb.CHECKOUT), order_id=f"order-{number}") for number in range(CLIENTS))
    answers = await asyncio.gather(
        *(shopper.change(ask, number) for number, ask in enumerate(asks)),
        return_exceptions=True,
    )
    bought = [answer.order for answer in answers if not isinstance(answer, BaseException)]
    assert all(order and order.lines == (("tea", 7),) for order in bought)
    assert (len(bought) == 1) == shopper.servers[0].promises.exact_checkout


async def test_they_are_served_as_data(cart_client: httpx.AsyncClient, cart_config: Config) -> None:
    strategy = strategies.build(cart_config, PRICES)
    answer = await cart_client.get("/promises")
    assert answer.json() == {"strategy": cart_config.strategy, "promises": asdict(strategy.promises)}
    await strategy.close()


async def test_a_bound_on_the_loss_agrees_with_surviving(cart_config: Config) -> None:
    strategy = strategies.build(cart_config, PRICES)
    assert (strategy.promises.bounded_loss == 0) == strategy.promises.survives_server_crash
    await strategy.close()
