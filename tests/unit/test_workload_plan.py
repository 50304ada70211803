from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.history import Kind
from lab.workload.catalogue import BadCatalogue, Product, parse_catalogue
from lab.workload.plan import FAST, SHOW, Plan, Shape, Step, make_plan

CATALOGUE = (Product("tea", 3.5), Product("jam", 4), Product("bread", 2))


def plan(seed: int = 7, shoppers: int = 50, shape: Shape = SHOW) -> Plan:
    return make_plan(Random(seed), CATALOGUE, shoppers, shape)  # noqa: S311 - a plan is no secret


def errands(made: Plan) -> list[list[tuple[Kind, Product | None, int]]]:
    """What everybody does, without the moments."""
    return [[(step.kind, step.product, step.quantity) for step in script.steps] for script in made.scripts]


def steps(made: Plan) -> list[Step]:
    return [step for script in made.scripts for step in script.steps]


def test_the_same_seed_gives_the_same_plan_keys_included() -> None:
    assert plan() == plan()


def test_another_seed_gives_another_plan() -> None:
    assert plan(seed=8) != plan(seed=7)


@given(
    st.integers(), st.integers(1, 60), st.sampled_from([SHOW, FAST, Shape(seconds=1, rush=1, keyless=0.5)])
)
def test_every_shopper_fits_the_house(seed: int, shoppers: int, shape: Shape) -> None:
    made = plan(seed, shoppers, shape)
    assert [script.shopper for script in made.scripts] == list(range(shoppers))
    for script in made.scripts:
        adds = [step for step in script.steps if step.kind is Kind.ADD]
        assert 3 <= len(adds) <= 6
        assert all(1 <= step.quantity <= 3 for step in adds)
        assert all(0 <= step.at <= made.seconds for step in script.steps)
        assert [step.at for step in script.steps] == sorted(step.at for step in script.steps)


@given(st.integers(), st.integers(1, 60))
def test_everybody_adds_before_the_crash_and_comes_back_after_it(seed: int, shoppers: int) -> None:
    made = plan(seed, shoppers)
    for script in made.scripts:
        before = [step.kind for step in script.steps if step.at < made.crash_at]
        after = [step.kind for step in script.steps if step.at > made.crash_at]
        assert Kind.ADD in before
        assert after[0] is Kind.READ
        assert Kind.ADD in after


def test_every_key_is_used_once() -> None:
    keys = Counter(step.key for step in steps(plan(shoppers=300)) if step.kind is Kind.ADD)
    assert set(keys.values()) == {1}
    assert None not in keys


def test_a_shopper_buys_the_same_things_however_many_others_come() -> None:
    assert errands(plan(shoppers=300))[:50] == errands(plan(shoppers=50))


def test_who_sends_no_key_buys_the_same_things() -> None:
    keyless = plan(shape=replace(SHOW, keyless=1.0))
    assert errands(keyless) == errands(plan())
    assert {step.key for step in steps(keyless)} == {None}


def test_a_share_of_the_shoppers_sends_no_key_at_all() -> None:
    made = plan(shoppers=400, shape=replace(SHOW, keyless=0.25))
    has_key = [{step.key is not None for step in s.steps if step.kind is Kind.ADD} for s in made.scripts]
    assert all(len(kinds) == 1 for kinds in has_key)
    assert 60 <= has_key.count({False}) <= 140


def test_a_plan_takes_as_long_as_its_shape_says() -> None:
    assert plan(shoppers=300).seconds == SHOW.seconds
    assert FAST.seconds <= plan(shoppers=300, shape=FAST).seconds <= 3


def test_many_shoppers_take_longer_rather_than_more_than_the_site_can_serve() -> None:
    made = plan(shoppers=3000, shape=FAST)
    assert made.operations / made.seconds == pytest.approx(FAST.max_rate)


def test_the_stream_is_as_strong_before_the_crash_as_after_it() -> None:
    made = plan(shoppers=300)
    before = sum(step.at < made.crash_at for step in steps(made))
    rate, rate_before = made.operations / made.seconds, before / made.crash_at
    assert rate_before == pytest.approx(rate, rel=0.01)
    assert made.due_at(made.crash_at) == before


def test_a_rush_comes_right_before_the_crash() -> None:
    made = plan(shoppers=300)
    rush = [step for step in steps(made) if made.crash_at - SHOW.rush_seconds < step.at <= made.crash_at]
    assert 10 <= len(rush) <= 40


def test_nobodys_only_add_before_the_crash_is_part_of_the_rush() -> None:
    made = plan(shoppers=300, shape=replace(SHOW, rush=1.0, rush_limit=300))
    for script in made.scripts:
        adds = [step.at for step in script.steps if step.kind is Kind.ADD]
        assert min(adds) < made.crash_at - SHOW.rush_seconds


def test_a_rush_has_a_limit() -> None:
    made = plan(shoppers=3000, shape=replace(FAST, rush=1.0))
    rush = [step for step in steps(made) if made.crash_at - FAST.rush_seconds < step.at <= made.crash_at]
    assert len(rush) <= FAST.rush_limit + 2 * FAST.max_rate * FAST.rush_seconds


@pytest.mark.parametrize(
    ("name", "value"),
    [("seconds", 0), ("max_rate", 0), ("keyless", 1.1), ("rush", -0.1), ("rush_seconds", -1)],
)
def test_a_shape_out_of_range_is_refused_by_name(name: str, value: float) -> None:
    settings: dict[str, Any] = {"seconds": 1.0, name: value}
    with pytest.raises(ValueError, match=f"the shape's {name} is {value}; expected"):
        Shape(**settings)


def test_a_plan_for_nobody_is_refused() -> None:
    with pytest.raises(ValueError, match="0 shoppers and 3 products"):
        plan(shoppers=0)


def test_a_catalogue_is_read_as_the_site_sends_it() -> None:
    answer = {"items": [{"sku": "t-1", "item": "tea", "price": 3.5, "category": "food"}]}
    assert parse_catalogue(answer) == (Product("tea", 3.5, "t-1"),)


@pytest.mark.parametrize("answer", [None, {}, {"items": []}, {"items": [{"item": "tea"}]}, {"items": 3}, []])
def test_a_catalogue_nobody_can_buy_from_is_refused(answer: object) -> None:
    with pytest.raises(BadCatalogue, match="GET /catalogue"):
        parse_catalogue(answer)
