"""Many shoppers against a real server: the plan is followed whatever the site does."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from functools import partial
from random import Random
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from lab.history import History, Kind, Outcome
from lab.oracle import judge
from lab.verdict import Verdict, judge_arm
from lab.workload.catalogue import BadCatalogue, Product
from lab.workload.clock import PlanClock
from lab.workload.crowd import Crowd, fetch_catalogue
from lab.workload.plan import FAST, Plan, Script, Step, make_plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.net.workload.conftest import TinyShop

CATALOGUE = (Product("tea", 3.5, "tea"), Product("jam", 4, "jam"))
now = time.monotonic


def small_plan(shoppers: int = 20, seconds: float = 0.5) -> Plan:
    return make_plan(Random(7), CATALOGUE, shoppers, replace(FAST, seconds=seconds))  # noqa: S311 - a plan is no secret


def everybody_at_once(shoppers: int, *, reads: int = 1) -> Plan:
    """A plan whose schedule alone would send all requests at the start."""
    steps = (Step(0.0, Kind.READ),) * reads
    return Plan(tuple(Script(number, steps) for number in range(shoppers)), 0.0, 0.1)


def a_crowd(shop: TinyShop, plan: Plan, history: History, **more: float) -> tuple[Crowd, PlanClock]:
    clock = PlanClock(now)
    settings = {"connections": 50, "timeout": 5.0, **more}
    crowd = Crowd(
        "arm",
        shop.url,
        plan,
        clock,
        now=now,
        record=history.add,
        connections=int(settings["connections"]),
        timeout=settings["timeout"],
    )
    return crowd, clock


async def looking_at_the_screen(seconds: float) -> None:
    another = PlanClock(now)
    another.start()
    await another.until(seconds)


async def eventually(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not is_so():
            await asyncio.sleep(0.005)


async def test_a_crowd_does_what_the_plan_says_and_every_cart_is_kept(shop: TinyShop) -> None:
    plan, history = small_plan(), History()
    crowd, clock = a_crowd(shop, plan, history)
    async with crowd:
        clock.start()
        await crowd.shop()
        assert (crowd.done, crowd.planned) == (plan.operations, plan.operations)
        await asyncio.wait_for(crowd.read_back(within=5), 10)
    assert crowd.read == 20
    for script in plan.scripts:
        done = [op for op in history.operations if op.shopper == script.shopper]
        assert [(op.kind, op.item, op.quantity, op.key) for op in done[:-1]] == [
            (step.kind, step.product.item if step.product else None, step.quantity, step.key)
            for step in script.steps
        ]
        assert done[-1].kind is Kind.FINAL_READ
    ledger = judge("arm", history.operations)
    assert ledger.counts["kept"] == 20
    assert judge_arm(ledger, "kept").verdict is Verdict.HELD


async def test_two_crowds_with_one_plan_do_the_same(shop: TinyShop) -> None:
    plan = small_plan()
    histories = History(), History()
    for history in histories:
        crowd, clock = a_crowd(shop, plan, history)
        async with crowd:
            clock.start()
            await crowd.shop()
    left, right = (
        sorted((op.shopper, op.kind, op.item or "", op.quantity, op.key or "") for op in history.operations)
        for history in histories
    )
    assert left == right


async def test_a_frozen_server_does_not_keep_others_from_asking(shop: TinyShop) -> None:
    shop.misbehave = shop.freeze
    crowd, clock = a_crowd(shop, everybody_at_once(8), History())
    async with crowd:
        shopping = asyncio.create_task(crowd.shop())
        clock.start()
        await eventually(partial(shop.has_seen, 8))
        shopping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await shopping


async def test_one_person_asks_one_thing_at_a_time(shop: TinyShop) -> None:
    may_answer = asyncio.Semaphore(0)

    async def held(_: TinyShop, __: web.Request) -> None:
        await may_answer.acquire()

    shop.misbehave = held
    crowd, clock = a_crowd(shop, everybody_at_once(2, reads=4), History())
    async with crowd:
        shopping = asyncio.create_task(crowd.shop())
        clock.start()
        for requests in (2, 3, 4, 5, 6, 7, 8, 8):
            await eventually(partial(shop.has_seen, requests))
            may_answer.release()
        await shopping
    assert len(shop.seen) == 8
    assert shop.most_under_way.pop("somebody new") == 2
    assert set(shop.most_under_way.values()) == {1}


async def test_waiting_behind_ones_own_request_counts_as_latency(shop: TinyShop) -> None:
    thawed = asyncio.Event()

    async def frozen(_: TinyShop, __: web.Request) -> None:
        await thawed.wait()

    shop.misbehave = frozen
    history = History()
    crowd, clock = a_crowd(shop, everybody_at_once(1, reads=2), history)
    async with crowd:
        shopping = asyncio.create_task(crowd.shop())
        clock.start()
        await clock.until(0.2)
        thawed.set()
        await shopping
    first, second = history.operations
    assert first.intended == second.intended
    assert second.completed is not None
    assert second.completed - second.intended >= 0.2 > second.completed - second.invoked


async def test_a_site_that_cannot_keep_up_makes_shoppers_wait_and_not_fail(shop: TinyShop) -> None:
    async def slowly(_: TinyShop, __: web.Request) -> None:
        await looking_at_the_screen(0.1)

    shop.misbehave = slowly
    history = History()
    crowd, clock = a_crowd(shop, everybody_at_once(12), history, connections=2, timeout=0.4)
    async with crowd:
        clock.start()
        await crowd.shop()
    ledger = judge("arm", history.operations)
    assert ledger.operations[Outcome.OK] == 12
    assert (ledger.latency.max or 0) > 0.5


async def test_connections_stay_below_the_bound_and_are_kept_alive(shop: TinyShop) -> None:
    crowd, clock = a_crowd(shop, everybody_at_once(40, reads=2), History(), connections=4)
    async with crowd:
        clock.start()
        await crowd.shop()
        assert crowd.done == 80
    assert len(shop.connections) <= 4


async def test_nobody_begins_while_the_clock_is_held_and_the_hold_is_no_latency(shop: TinyShop) -> None:
    plan = Plan((Script(0, (Step(0.0, Kind.READ), Step(0.1, Kind.READ))),), 0.05, 0.2)
    history = History()
    crowd, clock = a_crowd(shop, plan, history)
    async with crowd:
        shopping = asyncio.create_task(crowd.shop())
        for _ in range(10):
            await asyncio.sleep(0)
        assert (clock.plan_time, shop.seen) == (0.0, [])
        clock.start()
        await clock.until(plan.crash_at)
        clock.hold()
        held_at = clock.plan_time
        await looking_at_the_screen(0.3)
        assert clock.plan_time == held_at
        assert len(shop.seen) == 1
        clock.start()
        await shopping
    second = history.operations[1]
    assert second.completed is not None
    assert second.completed - second.intended < 0.25
    assert second.intended - history.operations[0].intended == pytest.approx(0.4, abs=0.09)


async def test_the_crash_point_comes_mid_traffic(shop: TinyShop) -> None:
    plan, history = small_plan(40), History()
    crowd, clock = a_crowd(shop, plan, history)
    async with crowd:
        shopping = asyncio.create_task(crowd.shop())
        clock.start()
        await clock.until(plan.crash_at)
        assert 0 < crowd.done < crowd.planned
        await shopping


async def test_ending_a_crowd_early_leaves_what_was_under_way_as_info(shop: TinyShop) -> None:
    shop.misbehave = shop.freeze
    history = History()
    crowd, clock = a_crowd(shop, everybody_at_once(5), history)
    async with crowd:
        shopping = asyncio.create_task(crowd.shop())
        clock.start()
        await eventually(partial(shop.has_seen, 5))
        shopping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await shopping
    assert [(op.outcome, op.completed) for op in history.operations] == [(Outcome.INFO, None)] * 5


async def test_a_cart_is_read_back_again_until_somebody_answers(shop: TinyShop) -> None:
    async def first_time_only(shop: TinyShop, __: web.Request) -> web.Response | None:
        return web.Response(status=503) if len(shop.seen) == 1 else None

    shop.misbehave = first_time_only
    history = History()
    crowd, _ = a_crowd(shop, everybody_at_once(1), history)
    async with crowd:
        await asyncio.wait_for(crowd.read_back(within=5), 10)
    assert [(op.kind, op.outcome) for op in history.operations] == [
        (Kind.FINAL_READ, Outcome.FAIL),
        (Kind.FINAL_READ, Outcome.OK),
    ]


async def test_carts_that_nobody_shows_in_time_are_unavailable_and_not_lost(shop: TinyShop) -> None:
    plan, history = small_plan(5, seconds=0.2), History()
    crowd, clock = a_crowd(shop, plan, history)
    async with crowd:
        clock.start()
        await crowd.shop()
        shop.misbehave = shop.cut_the_line
        began = now()
        await asyncio.wait_for(crowd.read_back(within=0.5), 10)
        assert now() - began < 5
    ledger = judge("arm", history.operations)
    assert ledger.counts["unavailable"] == 5
    assert ledger.errors.final_reads >= 10
    assert judge_arm(ledger, "kept").verdict is Verdict.CANNOT_TELL


async def test_one_cart_that_nobody_shows_keeps_no_other_from_being_read(shop: TinyShop) -> None:
    plan, history = small_plan(40, seconds=0.3), History()
    crowd, clock = a_crowd(shop, plan, history)
    async with crowd:
        clock.start()
        await crowd.shop()
        last_in_line = {op.session for op in history.operations if op.shopper >= 35}

        async def not_for_them(_: TinyShop, request: web.Request) -> web.Response | None:
            is_lucky = request.cookies["cart_sid"][:4] in last_in_line
            return None if is_lucky else web.Response(status=503)

        shop.misbehave = not_for_them
        await asyncio.wait_for(crowd.read_back(within=1.0), 10)
    assert crowd.read == 5
    assert judge("arm", history.operations).counts["unavailable"] == 35


async def test_a_large_crowd_is_read_back_however_long_it_takes(shop: TinyShop) -> None:
    one_at_a_time = asyncio.Lock()

    async def slowly(_: TinyShop, __: web.Request) -> None:
        async with one_at_a_time:
            await looking_at_the_screen(0.1)

    shop.misbehave = slowly
    crowd, _ = a_crowd(shop, everybody_at_once(15), History())
    async with crowd:
        await asyncio.wait_for(crowd.read_back(within=1.0), 20)
    assert crowd.read == 15


async def test_a_frozen_site_ends_the_reading_and_not_the_other_way_round(shop: TinyShop) -> None:
    shop.misbehave = shop.freeze
    history = History()
    crowd, _ = a_crowd(shop, everybody_at_once(60), history)
    async with crowd:
        began = now()
        await asyncio.wait_for(crowd.read_back(within=0.5), 10)
        assert now() - began < 4
    assert {(op.kind, op.outcome) for op in history.operations} == {(Kind.FINAL_READ, Outcome.INFO)}


async def test_the_catalogue_is_the_sites_own(shop: TinyShop) -> None:
    assert await fetch_catalogue(shop.url) == CATALOGUE


async def test_a_site_without_a_catalogue_is_refused(shop: TinyShop) -> None:
    async def nothing(_: TinyShop, __: web.Request) -> web.Response:
        return web.Response(status=404, text="no such page")

    shop.misbehave = nothing
    with pytest.raises(BadCatalogue, match="GET /catalogue"):
        await fetch_catalogue(shop.url)
