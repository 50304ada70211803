"""A run that is only counted: the screen's figures, progress and time left, and what it cost."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rich.console import Console

from lab.timeline import ActBegan, ArmReady, Costed, Judged, RunBegan, Tallied
from lab.view import ahead, costs, header, summary
from lab.view.carts import running_parts
from lab.view.plain import records
from lab.view.state import State, update

if TYPE_CHECKING:
    from lab.timeline import Event

BEGINNING = (
    RunBegan(0.0, "black-friday", "Black Friday", "Who?", 7, 1000, ("sticky",), ("shop",)),
    ArmReady(1.0, "sticky", "memory", "learn", "roundrobin", "127.0.0.1:1", ("server-1", "server-2")),
    ActBegan(10.0, "shop", "Shoppers shop."),
)
HALF = Tallied(20.0, "sticky", 2000, 4000, 3, 1, 5, 900, 40, 10, {"server-1": 1500, "server-2": 500})
COSTED = Costed(40.0, "sticky", 4000, 30.0, {"servers": 2.0, "balancer": 0.2}, 250_000_000, {"servers": 1})


def after(*events: Event) -> State:
    state = State()
    for event in events:
        state = replace(update(state, event), now=event.at)
    return state


def drawn(thing: object) -> str:
    console = Console(width=160)
    with console.capture() as captured:
        console.print(thing)
    return captured.get()


def test_counts_become_the_figures_of_the_screen() -> None:
    state = after(*BEGINNING, HALF)
    traffic = state.flow("sticky").traffic
    assert (traffic.requests, traffic.failed, traffic.unknown, traffic.elsewhere) == (2000, 3, 1, 5)
    assert {part.word: part.count for part in running_parts(state.arms[0], state)} == {
        "filled": 850, "emptied": 40, "no answer": 10, "to fill": 100,
    }  # fmt: skip


def test_two_tallies_count_what_came_between_them() -> None:
    more = replace(HALF, at=21.0, requests=2300, answers={"server-1": 1700, "server-2": 600})
    flow = after(*BEGINNING, HALF, more).flow("sticky")
    assert flow.rate.per_second(22.0) == 300
    assert flow.rate_of("server-1").per_second(22.0) == 200
    assert sum(flow.strip.counts) == 2300
    assert sum(flow.strip.troubles) == 4


def test_time_left_is_what_the_pace_so_far_makes_of_it() -> None:
    assert ahead.words(after(*BEGINNING)) == ""
    assert ahead.words(after(*BEGINNING, replace(HALF, at=10.1, requests=3))) == "0 %"
    assert ahead.words(after(*BEGINNING, HALF)) == "50 %, 10 s left"
    assert "50 %, 10 s left" in drawn(header.panel(after(*BEGINNING, HALF)))
    judged = Judged(30.0, "sticky", "held", "all is well", {}, "lost")
    assert ahead.words(after(*BEGINNING, HALF, judged)) == ""


def test_the_first_of_each_kind_is_news_once() -> None:
    state = after(*BEGINNING, HALF, replace(HALF, at=21.0, lost=90, elsewhere=70))
    assert [news.mark for news in state.arms[0].happenings] == ["lost"]
    calm = replace(HALF, lost=0, failed=0, unknown=0)
    state = after(*BEGINNING, calm, replace(HALF, at=21.0, lost=0))
    assert [news.mark for news in state.arms[0].happenings] == ["moved", "error"]


def test_what_an_arm_cost_is_said_by_program() -> None:
    state = after(*BEGINNING, HALF)
    said = next(records(state, update(state, COSTED), COSTED))
    assert (said.arm, said.what) == ("sticky", "cost")
    assert said.text == costs.words(COSTED)
    assert said.text == (
        "2.2 s of CPU in 30.0 s for 4,000 requests: "
        "servers 2.0 s (500 us a request), balancer 0.2 s (50 us a request); 250 MB at most"
    )
    judged = Judged(41.0, "sticky", "held", "all is well", {"kept": 1000}, "kept")
    assert costs.words(COSTED) in drawn(summary.panel(after(*BEGINNING, HALF, COSTED, judged)))
