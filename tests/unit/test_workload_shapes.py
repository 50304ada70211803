from __future__ import annotations

from collections import Counter
from functools import partial
from random import Random

from lab.history import Kind
from lab.workload.catalogue import Product
from lab.workload.plan import FAST, Shape
from lab.workload.shapes import ADDS_A_TAB, LIVES, RUSH, TABS, TRIES_MORE, changing, idling, retrying, tabs

DICE = partial(Random, 7)
SHOP = (Product("tea", 3.0), Product("mug", 9.0))


def test_all_tabs_of_a_shopper_add_the_same_thing_five_hundred_times_with_a_key_each() -> None:
    plan = tabs(DICE(), SHOP, 2, FAST)
    for shopper in (0, 1):
        steps = [step for script in plan.scripts if script.shopper == shopper for step in script.steps]
        assert len(steps) == len({step.key for step in steps}) == TABS * ADDS_A_TAB == 500
        assert {step.kind for step in steps} == {Kind.ADD}
        assert len({step.product for step in steps}) == 1


def test_a_cart_is_opened_in_one_tab_before_the_others_rush_at_it() -> None:
    plan = tabs(DICE(), SHOP, 1, FAST)
    opening, *rushing = plan.scripts
    assert len(opening.steps) == 1
    assert {script.tab for script in rushing} == set(range(1, TABS + 1))
    assert opening.steps[0].at < min(script.steps[0].at for script in rushing)
    assert max(script.steps[-1].at for script in rushing) <= plan.crash_at + RUSH


def test_every_second_shopper_is_idle_for_longer_than_a_life_and_the_others_never_are() -> None:
    ttl = 2.0
    plan = idling(DICE(), SHOP, 10, Shape(seconds=LIVES * ttl))
    ends = {script.shopper: [step.at for step in script.steps] for script in plan.scripts}
    idle = [plan.seconds - times[-1] for shopper, times in ends.items() if shopper % 2 == 0]
    busy = [
        later - sooner
        for shopper, times in ends.items()
        if shopper % 2
        for sooner, later in zip(times, [*times[1:], plan.seconds], strict=True)
    ]
    assert min(idle) > ttl + 1
    assert max(busy) < ttl / 2
    assert Counter(len(times) for times in ends.values())[1] == 5


def test_who_gets_no_answer_asks_again_half_of_them_with_the_key_of_the_first_try() -> None:
    plan = retrying(DICE(), SHOP, 40, FAST)
    adds = {
        script.shopper: [step for step in script.steps if step.kind is Kind.ADD] for script in plan.scripts
    }
    assert all(step.again == TRIES_MORE for steps in adds.values() for step in steps)
    assert all((step.key is None) == bool(shopper % 2) for shopper, steps in adds.items() for step in steps)


def test_everybody_takes_out_what_they_had_put_in_first_and_never_buys_it_again() -> None:
    plan = changing(DICE(), SHOP, 40, FAST)
    for script in plan.scripts:
        (away,) = (step for step in script.steps if step.kind is Kind.REMOVE)
        assert away.product == script.steps[0].product
        assert away.at >= plan.crash_at
        assert all(step.product != away.product for step in script.steps if step.at > away.at)
