"""A soak blames a loss on what explains it, and forgives only what was announced."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest

from lab.history import Kind, Operation, Outcome
from lab.ledger import STORE
from lab.oracle import judge_carts
from lab.promises import Promises
from lab.soak.blows import BRISK, STEADY, Lane, Pace, blows
from lab.soak.breach import ACKNOWLEDGED, OWN_CART, Breach, Price, weigh
from lab.soak.story import story
from lab.timeline import Interval

ALL = Promises(
    any_server=True,
    survives_server_crash=True,
    bounded_loss=0,
    survives_store_crash=True,
    survives_store_loss=True,
    reads_without_store=True,
    writes_without_store=True,
    concurrent_adds=True,
    keyed_retry_once=True,
    never_stale=True,
)
KILL = Interval("a", "kill", "server-1", 2.0, 3.0)


def add(at: float, item: str = "tea", *, took: float = 0.1, server: str = "server-1") -> Operation:
    return Operation(
        arm="a",
        shopper=7,
        kind=Kind.ADD,
        intended=at,
        invoked=at,
        completed=at + took,
        outcome=Outcome.OK,
        item=item,
        quantity=1,
        key=f"key-{at}",
        server=server,
        cart={item: 1},
    )


def look(at: float, cart: dict[str, int], kind: Kind = Kind.FINAL_READ) -> Operation:
    return replace(add(at, server="server-2"), kind=kind, item=None, quantity=0, key=None, cart=cart)


def weighed(
    *ops: Operation, faults: tuple[Interval, ...] = (), store_log: bool = True, **not_made: bool | None
) -> Breach | Price | None:
    (cart,) = judge_carts("a", [ops]).carts
    promises = replace(ALL, **not_made)  # type: ignore[arg-type]  # names are checked by replace itself
    return weigh(cart, ops, faults, promises, store_log=store_log)


def test_a_cart_that_is_whole_breaks_nothing() -> None:
    assert weighed(add(1), look(9, {"tea": 1}), faults=(KILL,)) is None


def test_a_loss_that_nothing_explains_is_a_breach_of_the_acknowledgement_whatever_is_promised() -> None:
    found = weighed(add(1), look(9, {}), survives_server_crash=False, concurrent_adds=False)
    assert found == Breach(ACKNOWLEDGED, 7, "tea", 1, 1, 0)


def test_a_loss_with_its_server_is_a_price_only_where_that_is_not_promised() -> None:
    ops = (add(1), look(9, {}))
    assert isinstance(weighed(*ops, faults=(KILL,)), Breach)
    price = weighed(*ops, faults=(KILL,), survives_server_crash=False)
    assert price == Price("survives_server_crash", 1, KILL)


@pytest.mark.parametrize(
    "fault",
    [
        Interval("a", "kill", "server-3", 2.0, 3.0),
        Interval("a", "kill", "server-1", 0.2, 0.9),
    ],
    ids=["another server", "healed before"],
)
def test_a_fault_that_did_not_meet_the_cart_excuses_nothing(fault: Interval) -> None:
    found = weighed(add(1), look(9, {}), faults=(fault,), survives_server_crash=False)
    assert isinstance(found, Breach)
    assert found.promise == ACKNOWLEDGED


def test_a_store_that_comes_back_empty_is_another_promise_than_one_that_was_killed() -> None:
    ops, faults = (add(1), look(9, {})), (Interval("a", "store-kill", STORE, 2.0, 3.0),)
    price = weighed(*ops, faults=faults, store_log=False, survives_store_loss=False)
    assert price == Price("survives_store_loss", 1)
    assert isinstance(weighed(*ops, faults=faults, survives_store_loss=False), Breach)


def test_adds_at_once_explain_a_loss_where_they_may() -> None:
    ops = (add(1, took=0.5), add(1.2), look(9, {"tea": 1}))
    assert weighed(*ops, concurrent_adds=False) == Price("concurrent_adds", 1)
    found = weighed(*ops)
    assert isinstance(found, Breach)
    assert found.promise == "concurrent_adds"


def test_nobody_is_ever_forgiven_a_stranger() -> None:
    found = weighed(add(1), look(9, {"tea": 1, "jam": 1}), faults=(KILL,), survives_server_crash=False)
    assert isinstance(found, Breach)
    assert found.promise == OWN_CART


def test_one_piece_too_many_breaks_the_promise_of_keys() -> None:
    found = weighed(add(1), look(9, {"tea": 2}))
    assert isinstance(found, Breach)
    assert found.promise == "keyed_retry_once"
    assert weighed(add(1), look(9, {"tea": 2}), keyed_retry_once=False) is None


def test_an_old_cart_in_between_breaks_never_stale_where_that_is_promised() -> None:
    ops = (add(1), look(4, {}, Kind.READ), look(9, {"tea": 1}))
    found = weighed(*ops)
    assert isinstance(found, Breach)
    assert found.promise == "never_stale"
    assert weighed(*ops, never_stale=False) is None


def test_a_story_has_what_concerns_the_item_and_the_faults_on_who_answered() -> None:
    ops = (add(1), add(1.5, "jam"), look(4, {"tea": 1, "jam": 1}, Kind.READ), look(9, {"jam": 1}))
    elsewhere = Interval("a", "kill", "server-3", 5.0, 6.0)
    found = weighed(*ops, faults=(KILL, elsewhere))
    assert isinstance(found, Breach)
    lines = story(found, ops, (KILL, elsewhere))
    assert [line[:12].strip() for line in lines[:-1]] == [
        "1.000 s",
        "1.500 s",
        "2.000 s",
        "3.000 s",
        "4.000 s",
        "9.000 s",
    ]
    assert "kill of server-1 begins" in lines[2]
    assert "looks for the last time: server-2 shows 0 tea" in lines[-2]
    assert "1 tea acknowledged, 0 found" in lines[-1]


@pytest.mark.parametrize("pace", [STEADY, BRISK])
def test_the_same_dice_give_the_same_blows_and_those_of_a_lane_never_overlap(pace: Pace) -> None:
    servers = ("server-1", "server-2")
    lanes: tuple[Lane, ...] = ((("kill", servers), ("pause", servers)), (("store-kill", (STORE,)),), ())
    for seed in range(50):
        thrown, again = (blows(Random(seed), lanes, 12.0, pace) for _ in range(2))  # noqa: S311 - dice
        assert thrown == again
        assert len(thrown) == 2
        for lane in thrown:
            assert lane
            for before, after in pairwise(lane):
                assert before.at + before.hold < after.at
