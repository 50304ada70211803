"""The throng's compact history: what is packed comes back, and is judged like any other."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import groupby
from math import nan
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from lab.archive import Archive
from lab.history import History, Kind, Operation, Outcome
from lab.ledger import Crash
from lab.oracle import judge, judge_carts
from lab.packing import pack, unpack
from lab.view.flow import NONE_YET, with_traffic
from lab.workload.catalogue import Product
from lab.workload.throng.slots import Facts, Said, Slots
from lab.workload.throng.tally import Counting, Tally
from lab.workload.throng.wishes import ADDS, FINAL_READ, STEPS, Wishes

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

PRODUCTS = (Product("Laptop", 999.0), Product("USB-C Hub", 49.5), Product("PlayStation 5", 499))
WISHES = Wishes(7, PRODUCTS, keyless=0.3)
SHOPPERS = 4
FIRST = 11

names = st.none() | st.sampled_from(["server-1", "server-2", "server-3"])
moments = st.integers(0, 9_000_000).map(lambda microseconds: microseconds / 1e6)
carts = st.dictionaries(st.sampled_from([p.item for p in PRODUCTS]) | st.text(max_size=5), st.integers(0, 9))
sessions = st.sampled_from(["d109972e07be", "000000000000", "D109972E07BE", "short"]) | st.text(max_size=20)


@st.composite
def said(draw: st.DrawFn) -> Said:
    invoked = draw(moments)
    completed = draw(st.none() | moments.map(lambda taken: round(invoked + taken, 6)))
    outcome = Outcome.INFO if completed is None else draw(st.sampled_from(Outcome))
    facts = Facts(
        draw(names),
        draw(st.none() | st.sampled_from(["new", "none", "local", "store"])),
        draw(st.integers(1, 3)),
        draw(names),
        None if outcome is Outcome.OK else draw(st.none() | st.text(max_size=9)),
    )
    cart = draw(carts) if outcome is Outcome.OK else None
    status = draw(st.none() | st.integers(100, 599))
    return Said(invoked, completed, outcome, status, facts, cart, draw(st.none() | sessions))


#: Each shopper's answers, at most one an add and any number of looks for the judge.
stories = st.lists(
    st.tuples(st.lists(said(), max_size=ADDS), st.lists(said(), max_size=3)),
    min_size=SHOPPERS,
    max_size=SHOPPERS,
)


#: Each example is a history of four shoppers.
quick = settings(max_examples=40, deadline=None)


def plainly(shopper: int, step: int, heard: Said) -> Operation:
    """What a shopper who keeps one object a request would have written down."""
    wish = WISHES.of(shopper, step) if step < FINAL_READ else None
    facts = heard.facts
    return Operation(
        arm="sticky",
        shopper=shopper,
        kind=Kind.FINAL_READ if wish is None else Kind.ADD,
        intended=heard.invoked,
        invoked=heard.invoked,
        completed=heard.completed,
        outcome=heard.outcome,
        item=None if wish is None else PRODUCTS[wish.number].item,
        quantity=0 if wish is None else 1,
        key=None if wish is None else wish.key,
        status=heard.status,
        server=facts.server,
        origin=facts.origin,
        session=heard.session,
        cart=heard.cart,
        tries=facts.tries,
        moved_from=facts.moved_from,
        error=facts.error,
    )


def told(story: list[tuple[list[Said], list[Said]]]) -> tuple[Slots, list[Operation]]:
    slots = Slots("sticky", WISHES, FIRST, SHOPPERS)
    operations = []
    for shopper, (adds, reads) in enumerate(story, FIRST):
        steps = [*enumerate(adds), *((FINAL_READ, read) for read in reads)]
        for step, heard in steps:
            slots.put(shopper, step, heard)
            operations.append(plainly(shopper, step, heard))
    return slots, operations


@quick
@given(stories)
def test_slots_give_back_every_operation_as_it_was(story: list[tuple[list[Said], list[Said]]]) -> None:
    slots, operations = told(story)
    found = [op for shopper in range(FIRST, FIRST + SHOPPERS) for op in slots.operations(shopper)]
    assert found == operations


@quick
@given(stories)
def test_a_line_a_cart_gives_back_every_operation_as_it_was(
    story: list[tuple[list[Said], list[Said]]],
) -> None:
    _, operations = told(story)
    for cart in by_cart(operations):
        assert unpack(json.loads(pack(cart))) == cart


@quick
@given(stories, moments)
def test_the_oracle_says_the_same_of_a_packed_history(
    story: list[tuple[list[Said], list[Said]]], crashed_at: float
) -> None:
    slots, operations = told(story)
    crash = Crash(crashed_at, frozenset({"server-3"}), crashed_at + 2)
    lines = [pack(ops) for shopper in range(FIRST, FIRST + SHOPPERS) if (ops := slots.operations(shopper))]
    # One shopper's requests are one at a time: in a real history their order is that of their times.
    ordered = [sorted(cart, key=lambda op: op.invoked) for cart in map(unpack, map(json.loads, lines))]
    assert judge_carts("sticky", ordered, crash) == judge("sticky", operations, crash)


def test_an_archive_holds_some_arms_in_files_and_others_in_memory(tmp_path: Path) -> None:
    cart = [plainly(FIRST, 0, Said(1.0, 1.5, Outcome.OK, 200, Facts("server-1", "new"), {"Laptop": 1}))]
    part = tmp_path / "part.jsonl"
    part.write_text(pack(cart) + "\n")
    archive = Archive(parts={"sticky": [part]})
    archive.add(replace(cart[0], arm="stateless"))
    assert list(archive.carts("sticky")) == [cart]
    assert list(archive.carts("stateless")) == [[replace(cart[0], arm="stateless")]]
    lines = list(archive.to_lines())
    assert [json.loads(line)["arm"] for line in lines] == ["stateless", "sticky"]
    assert not any(line.endswith("\n") for line in lines)
    archive.forget_parts()
    assert not part.exists()


@quick
@given(stories)
def test_a_tally_counts_what_the_screen_would_count(story: list[tuple[list[Said], list[Said]]]) -> None:
    counting, traffic = Counting(SHOPPERS), NONE_YET
    _, operations = told(story)
    for op in operations:
        heard = Said(
            op.invoked, op.completed, op.outcome, op.status,
            Facts(op.server, op.origin, op.tries, op.moved_from), op.cart,
        )  # fmt: skip
        counting.count(op.shopper - FIRST, op.kind, heard)
        traffic = with_traffic(traffic, op)
    tally = counting.tally
    assert (tally.requests, tally.failed, tally.unknown, tally.elsewhere) == (
        traffic.requests, traffic.failed, traffic.unknown, traffic.elsewhere,
    )  # fmt: skip
    assert (tally.filled, tally.lost, tally.unanswered) == (traffic.begun, traffic.lost, traffic.unanswered)
    assert sum(tally.homes.values()) <= tally.filled


def test_the_tallies_of_processes_add_up() -> None:
    parts = [{"done": 2, "homes": {"server-1": 2}}, {"done": 3, "homes": {"server-1": 1, "server-2": 2}}]
    total = Tally.sum(parts)
    assert (total.done, total.homes) == (5, {"server-1": 3, "server-2": 2})


def test_a_request_costs_a_few_dozen_bytes() -> None:
    slots = Slots("sticky", WISHES, 0, 1000)
    heard = Said(1.0, nan, Outcome.OK, 200, Facts("server-1", "new"), {"Laptop": 1}, "d109972e07be")
    for shopper in range(1000):
        for step in range(STEPS):
            slots.put(shopper, step, heard)
    assert len(slots._slots) <= 40 * STEPS * 1000
    assert not slots._more
    assert len(slots._facts._values) == len(slots._carts._values) == 1


def test_everybody_wants_the_same_in_both_arms_whoever_else_comes() -> None:
    again = Wishes(7, PRODUCTS, keyless=0.3)
    assert [again.of(shopper, step) for shopper in range(200) for step in range(ADDS)] == [
        WISHES.of(shopper, step) for shopper in range(200) for step in range(ADDS)
    ]
    keys = [WISHES.of(shopper, step).key for shopper in range(2000) for step in range(ADDS)]
    keyed = [key for key in keys if key]
    assert len(set(keyed)) == len(keyed)
    assert 0.6 < len(keyed) / len(keys) < 0.8
    assert {WISHES.of(shopper, 0).number for shopper in range(200)} == {0, 1, 2}


def by_cart(operations: Iterable[Operation]) -> list[list[Operation]]:
    return [list(ops) for _, ops in groupby(operations, key=lambda op: op.shopper)]


def test_a_history_in_memory_gives_its_carts_in_order() -> None:
    history = History()
    late, early = (plainly(3, step, Said(at, at, Outcome.OK)) for step, at in ((1, 2.0), (0, 1.0)))
    for op in (late, early):
        history.add(op)
    assert list(history.carts("sticky")) == [[early, late]]
