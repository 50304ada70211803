"""Hand-written histories: empty, definite, indefinite. Whole results are compared."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lab.history import Kind, Operation, Outcome
from lab.ledger import CartResult, Crash, Errors, ItemResult, Quantiles, Status
from lab.oracle import judge

OK, FAIL, INFO = Outcome.OK, Outcome.FAIL, Outcome.INFO
CRASH = Crash(at=10.0, servers=frozenset({"server-2"}), healed=20.0)


def operation(kind: Kind, at: float, outcome: Outcome, **more: Any) -> Operation:
    more.setdefault("arm", "sticky")
    more.setdefault("shopper", 1)
    more.setdefault("completed", at + 0.5)
    more.setdefault("server", "server-1" if outcome is OK else None)
    return Operation(kind=kind, intended=at, invoked=at, outcome=outcome, **more)


def add(item: str, at: float, outcome: Outcome = OK, quantity: int = 1, **more: Any) -> Operation:
    return operation(Kind.ADD, at, outcome, item=item, quantity=quantity, **more)


def read(at: float, cart: dict[str, int] | None, **more: Any) -> Operation:
    return operation(Kind.READ, at, FAIL if cart is None else OK, cart=cart, **more)


def final(cart: dict[str, int] | None, at: float = 30.0, **more: Any) -> Operation:
    return operation(Kind.FINAL_READ, at, FAIL if cart is None else OK, cart=cart, **more)


def item(name: str, promised: int, possible: int, found: int | None, status: Status) -> ItemResult:
    return ItemResult(name, promised, possible, found, status)


CARTS = {
    "empty: nobody did anything but look": (
        [final({})],
        CartResult(shopper=1, status=Status.UNKNOWN, read_at=30.5),
    ),
    "empty: nothing was promised and nobody looked": (
        [add("tea", 1, INFO)],
        CartResult(shopper=1, status=Status.UNAVAILABLE),
    ),
    "definite: found as promised": (
        [add("tea", 1), add("tea", 2, quantity=2), add("jam", 3), final({"tea": 3, "jam": 1})],
        CartResult(
            shopper=1,
            status=Status.KEPT,
            items=(item("jam", 1, 1, 1, Status.KEPT), item("tea", 3, 3, 3, Status.KEPT)),
            read_at=30.5,
            home="server-1",
        ),
    ),
    "definite: a whole item is gone": (
        [add("tea", 1), add("jam", 2), final({"tea": 1})],
        CartResult(
            shopper=1,
            status=Status.LOST,
            items=(item("jam", 1, 1, 0, Status.LOST), item("tea", 1, 1, 1, Status.KEPT)),
            read_at=30.5,
            home="server-1",
            first_missing=30.5,
        ),
    ),
    "definite: one of three pieces is gone": (
        [add("tea", 1, quantity=3), final({"tea": 2})],
        CartResult(
            shopper=1,
            status=Status.LOST,
            items=(item("tea", 3, 3, 2, Status.LOST),),
            read_at=30.5,
            home="server-1",
            first_missing=30.5,
        ),
    ),
    "definite: more than ever added": (
        [add("tea", 1), final({"tea": 2})],
        CartResult(
            shopper=1,
            status=Status.DUPLICATED,
            items=(item("tea", 1, 1, 2, Status.DUPLICATED),),
            read_at=30.5,
            home="server-1",
        ),
    ),
    "indefinite: seen missing, and an unanswered add may have made up for it": (
        [add("tea", 1), read(2, {}), add("tea", 3, INFO), final({"tea": 1})],
        CartResult(
            shopper=1,
            status=Status.UNKNOWN,
            items=(item("tea", 1, 2, 1, Status.UNKNOWN),),
            read_at=30.5,
            home="server-1",
            came_back=True,
        ),
    ),
    "indefinite: never seen missing, so the bound decides": (
        [add("tea", 1), read(2, {"tea": 1}), add("tea", 3, INFO), final({"tea": 1})],
        CartResult(
            shopper=1,
            status=Status.KEPT,
            items=(item("tea", 1, 2, 1, Status.KEPT),),
            read_at=30.5,
            home="server-1",
        ),
    ),
    "definite: somebody else's item": (
        [add("tea", 1), final({"tea": 1, "gun": 1})],
        CartResult(
            shopper=1,
            status=Status.UNEXPECTED,
            items=(item("gun", 0, 0, 1, Status.UNEXPECTED), item("tea", 1, 1, 1, Status.KEPT)),
            read_at=30.5,
            home="server-1",
            strangers=("gun",),
        ),
    ),
    "definite: a refused add is there all the same": (
        [add("tea", 1), add("jam", 2, FAIL), final({"tea": 1, "jam": 1})],
        CartResult(
            shopper=1,
            status=Status.UNEXPECTED,
            items=(item("jam", 0, 0, 1, Status.UNEXPECTED), item("tea", 1, 1, 1, Status.KEPT)),
            read_at=30.5,
            home="server-1",
        ),
    ),
    "definite: a refused add is not there, as it should": (
        [add("tea", 1), add("jam", 2, FAIL), final({"tea": 1})],
        CartResult(
            shopper=1,
            status=Status.KEPT,
            items=(item("tea", 1, 1, 1, Status.KEPT),),
            read_at=30.5,
            home="server-1",
        ),
    ),
    "definite: nobody answered the final read, so it is not lost": (
        [add("tea", 1), final(None, 30), final(None, 31)],
        CartResult(
            shopper=1,
            status=Status.UNAVAILABLE,
            items=(item("tea", 1, 1, None, Status.UNAVAILABLE),),
            home="server-1",
        ),
    ),
    "definite: the second try of the final read was answered": (
        [add("tea", 1), final(None, 30), final({"tea": 1}, 31)],
        CartResult(
            shopper=1,
            status=Status.KEPT,
            items=(item("tea", 1, 1, 1, Status.KEPT),),
            read_at=31.5,
            home="server-1",
        ),
    ),
    "indefinite: the unanswered add got through": (
        [add("tea", 1), add("tea", 2, INFO), final({"tea": 2})],
        CartResult(
            shopper=1,
            status=Status.UNKNOWN,
            items=(item("tea", 1, 2, 2, Status.UNKNOWN),),
            read_at=30.5,
            home="server-1",
        ),
    ),
    "indefinite: the unanswered add did not get through": (
        [add("tea", 1), add("tea", 2, INFO), add("jam", 3, INFO), final({"tea": 1})],
        CartResult(
            shopper=1,
            status=Status.KEPT,
            items=(item("tea", 1, 2, 1, Status.KEPT),),
            read_at=30.5,
            home="server-1",
        ),
    ),
    "indefinite: the unanswered add ran twice": (
        [add("tea", 1, INFO), final({"tea": 2})],
        CartResult(
            shopper=1,
            status=Status.DUPLICATED,
            items=(item("tea", 0, 1, 2, Status.DUPLICATED),),
            read_at=30.5,
        ),
    ),
    "indefinite: only an unanswered add, and it is there": (
        [add("tea", 1, INFO), final({"tea": 1})],
        CartResult(
            shopper=1,
            status=Status.UNKNOWN,
            items=(item("tea", 0, 1, 1, Status.UNKNOWN),),
            read_at=30.5,
        ),
    ),
    "a retry with the same key counts once": (
        [add("tea", 1, INFO, key="k"), add("tea", 2, OK, key="k"), final({"tea": 1})],
        CartResult(
            shopper=1,
            status=Status.KEPT,
            items=(item("tea", 1, 1, 1, Status.KEPT),),
            read_at=30.5,
            home="server-1",
        ),
    ),
    "a retry with the same key that counted twice is a duplicate": (
        [add("tea", 1, OK, key="k"), add("tea", 2, OK, key="k"), final({"tea": 2})],
        CartResult(
            shopper=1,
            status=Status.DUPLICATED,
            items=(item("tea", 1, 1, 2, Status.DUPLICATED),),
            read_at=30.5,
            home="server-1",
        ),
    ),
}


@pytest.mark.parametrize(("history", "expected"), CARTS.values(), ids=CARTS.keys())
def test_a_cart_is_called(history: list[Operation], expected: CartResult) -> None:
    (found,) = judge("sticky", history).carts
    assert replace(found, idle=None) == expected


def test_an_empty_history_has_no_carts() -> None:
    ledger = judge("sticky", [])
    assert ledger.carts == ()
    assert ledger.operations == {OK: 0, FAIL: 0, INFO: 0}
    assert ledger.latency == Quantiles(0)


def test_operations_of_the_other_arm_are_passed_over() -> None:
    history = [add("tea", 1), final({}, arm="stateless"), final({"tea": 1})]
    assert judge("sticky", history).counts["kept"] == 1


ON_THE_WAY = {
    "lost on the way, seen at the first look": (
        [add("tea", 1), read(12, {}), read(15, {}), final({})],
        (12.5, False, 12.5),
    ),
    "an answer to an add shows the loss too": (
        [add("tea", 1), add("jam", 13, cart={"jam": 1}), final({"jam": 1})],
        (13.5, False, 13.5),
    ),
    "what is added again does not hide what was lost": (
        [add("tea", 1), add("tea", 13, cart={"tea": 1}), final({"tea": 1})],
        (13.5, False, 13.5),
    ),
    "a stale read is not a loss": (
        [add("tea", 1), read(12, {}), read(13, {"tea": 1}), final({"tea": 1})],
        (None, True, 12.5),
    ),
    "stale first, lost later": (
        [add("tea", 1), read(12, {}), read(13, {"tea": 1}), final({})],
        (30.5, True, 12.5),
    ),
    "an error after the crash is noticed": (
        [add("tea", 1), read(11, None), final({"tea": 1})],
        (None, False, 11.5),
    ),
    "an error before the crash is none of its": (
        [add("tea", 1), read(2, None), read(12, {"tea": 1}), final({"tea": 1})],
        (None, False, None),
    ),
    "an add acknowledged twice under one key is owed once": (
        [add("tea", 1, key="k"), add("tea", 2, key="k"), read(12, {"tea": 1}), final({"tea": 1})],
        (None, False, None),
    ),
    "an unanswered add owes nothing to a read": (
        [add("tea", 1, INFO), read(12, {}), final({})],
        (None, False, None),
    ),
}


@pytest.mark.parametrize(("history", "expected"), ON_THE_WAY.values(), ids=ON_THE_WAY.keys())
def test_what_a_shopper_sees_on_the_way(
    history: list[Operation], expected: tuple[float | None, bool, float | None]
) -> None:
    (cart,) = judge("sticky", history, CRASH).carts
    assert (cart.first_missing, cart.came_back, cart.noticed) == expected


def test_an_item_shown_before_it_was_asked_for_is_a_strangers() -> None:
    history = [read(1, {"jam": 1}), add("jam", 2), final({"jam": 1})]
    assert judge("sticky", history).carts[0].strangers == ("jam",)


HOMES = {
    "the last server that acknowledged before the crash": (
        [add("tea", 1), add("jam", 2, server="server-2")],
        "server-2",
    ),
    "a read moves nobody": ([add("tea", 1), read(2, {"tea": 1}, server="server-2")], "server-1"),
    "what is acknowledged after the crash does not count": (
        [add("tea", 1, server="server-2"), add("jam", 11, server="server-3")],
        "server-2",
    ),
    "a dying server may still acknowledge": (
        [add("tea", 1, server="server-1"), add("jam", 10.2, server="server-2")],
        "server-2",
    ),
    "a healed server is no home before the crash": ([add("jam", 21, server="server-2")], None),
    "an unanswered add has no home": ([add("tea", 1, INFO)], None),
}


@pytest.mark.parametrize(("history", "expected"), HOMES.values(), ids=HOMES.keys())
def test_a_cart_lives_on(history: list[Operation], expected: str | None) -> None:
    assert judge("sticky", history, CRASH).carts[0].home == expected


def test_the_figures_of_an_arm_follow_from_its_carts() -> None:
    history = [
        add("tea", 1, server="server-1", key="a"),
        read(11, {"tea": 1}, origin="local"),
        final({"tea": 1}),
        add("tea", 2, server="server-2", shopper=2),
        add("tea", 9.5, INFO, shopper=2, key="b", completed=14.5),
        read(15, {}, shopper=2, server="server-3", origin="none", moved_from="server-2"),
        final({}, shopper=2, server="server-3"),
        add("tea", 3, server="server-2", shopper=3),
        add("jam", 4, INFO, shopper=3, completed=None),
        final(None, shopper=3),
        add("tea", 25, server="server-2", shopper=4),
        final({"tea": 1}, shopper=4),
    ]
    ledger = judge("sticky", history, CRASH)
    assert ledger.homes == {
        "server-1": {"carts": 1, "lost": 0},
        "server-2": {"carts": 2, "lost": 1},
    }
    assert [cart.shopper for cart in ledger.at_risk] == [2, 3]
    assert [cart.shopper for cart in ledger.others] == [1, 4]
    assert ledger.counts == {
        "kept": 2,
        "lost": 1,
        "unavailable": 1,
        "duplicated": 0,
        "unexpected": 0,
        "resurrected": 0,
        "doubled": 0,
        "unknown": 0,
    }
    assert ledger.item_counts["lost"] == 1
    assert ledger.operations == {OK: 9, FAIL: 1, INFO: 2}
    assert ledger.errors == Errors(keyed=1, keyless=1, reads=0, final_reads=1)
    assert ledger.errors.seen == 2
    assert ledger.answered_elsewhere == 1
    assert ledger.first_origins == {"none": 1, "no answer": 1}
    assert ledger.noticed == Quantiles.of([4.5])
    assert ledger.time_to_loss == Quantiles.of([5.5])
    assert ledger.latency == Quantiles.of([0.5, 0.5, 0.5, 5.0, 0.5, 0.5, 0.5])


def test_latency_runs_from_the_intended_moment_and_not_from_the_sending() -> None:
    waited = Operation(
        arm="sticky", shopper=1, kind=Kind.READ, intended=1, invoked=4, completed=4.5, outcome=OK, cart={}
    )
    assert judge("sticky", [waited]).latency.max == 3.5


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param([], Quantiles(0), id="none"),
        pytest.param([3.0], Quantiles(1, 3, 3, 3, 3, 3), id="one"),
        pytest.param([2.0, 1.0], Quantiles(2, 1, 1, 2, 2, 2), id="two"),
        pytest.param([float(n) for n in range(1, 101)], Quantiles(100, 1, 50, 95, 99, 100), id="hundred"),
    ],
)
def test_quantiles_are_values_that_occurred(values: list[float], expected: Quantiles) -> None:
    assert Quantiles.of(values) == expected


def test_the_record_is_plain_json_with_every_figure() -> None:
    import json  # noqa: PLC0415

    record = judge("sticky", [add("tea", 1), final({"tea": 1})], CRASH).to_record()
    assert json.loads(json.dumps(record)) == record
    assert record["carts"]["kept"] == 1
