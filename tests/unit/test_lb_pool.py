"""Servers and their states: the transition table and the one predicate."""

from __future__ import annotations

from collections import Counter
from itertools import product
from pathlib import Path

import pytest

from lb.health import Health, Result, worst_case_detection
from lb.picture import states
from lb.pool import CHECKED, TRANSITIONS, Address, Event, Pool, Server, State

README = (Path(__file__).parents[2] / "README.md").read_text()
WELL = Result(passed=True, code="L7OK", detail="200")
ILL = Result(passed=False, code="L4CON", detail="refused")
HERE = Address("127.0.0.1", 9001)


def pool_with(state: State, weight: int = 1) -> tuple[Pool, Server]:
    pool = Pool(clock=lambda: 42.0)
    server = pool.add("s1", HERE, weight)
    server.state = state
    pool.weigh(server, weight)
    return pool, server


@pytest.mark.parametrize(
    ("state", "new", "tied"),
    [
        (State.STARTING, False, False),
        (State.UP, True, True),
        (State.DRAINING, False, True),
        (State.DRAINING_DOWN, False, False),
        (State.MAINTENANCE, False, False),
        (State.DOWN, False, False),
        (State.EJECTED, False, False),
        (State.GONE, False, False),
    ],
)
def test_who_may_send_requests_to_a_server_depends_on_its_state(
    state: State, *, new: bool, tied: bool
) -> None:
    _, server = pool_with(state)
    assert server.available(tied=False) is new
    assert server.available(tied=True) is tied


def test_weight_zero_keeps_its_sessions_and_takes_no_new_ones() -> None:
    pool, server = pool_with(State.UP, weight=0)
    assert server.available(tied=True)
    assert not server.available(tied=False)
    assert pool.open == ()


@pytest.mark.parametrize(("before", "event"), list(product(State, Event)), ids=lambda item: item.value)
def test_an_event_changes_a_state_exactly_as_the_table_says(before: State, event: Event) -> None:
    pool, server = pool_with(before)
    change = pool.apply(server, event, "because")
    after = TRANSITIONS.get((before, event))
    if after is None:
        assert change is None
        assert server.state is before
    else:
        assert change is not None
        assert (change.before, change.after, change.cause, change.at) == (before, after, "because", 42.0)
        assert server.state is after


@pytest.mark.parametrize("state", [s for s in State if s is not State.GONE])
def test_every_state_can_be_left_and_every_server_removed(state: State) -> None:
    assert TRANSITIONS[state, Event.REMOVED] is State.GONE


def pool_of(*names: str, backups: tuple[str, ...] = (), all_backups: bool = False) -> Pool:
    pool = Pool(clock=lambda: 42.0, all_backups=all_backups)
    for name in (*names, *backups):
        pool.apply(pool.add(name, HERE, backup=name in backups), Event.PASSED, "L7OK")
    return pool


def taking(pool: Pool) -> list[str]:
    return [server.name for server in pool.open]


def test_a_backup_takes_new_sessions_only_while_no_other_does() -> None:
    pool = pool_of("s1", "s2", backups=("b1", "b2"))
    assert taking(pool) == ["s1", "s2"]
    s1, s2, b1, _ = pool
    pool.apply(s1, Event.FAILED, "L4CON")
    pool.apply(s2, Event.DRAIN, "")
    assert taking(pool) == ["b1"]
    pool.apply(b1, Event.FAILED, "L4CON")
    assert taking(pool) == ["b2"]
    pool.apply(s2, Event.READY, "")
    assert taking(pool) == ["s2"]


def test_all_backups_share_the_work_where_that_is_asked_for() -> None:
    pool = pool_of("s1", backups=("b1", "b2"), all_backups=True)
    (s1, *_) = pool
    pool.weigh(s1, 0)
    assert taking(pool) == ["b1", "b2"]


def test_a_backup_keeps_the_sessions_it_got_when_the_others_are_back() -> None:
    pool = pool_of("s1", backups=("b1",))
    _, b1 = pool
    assert b1.available(tied=True)
    assert not b1.available(tied=False)
    assert b1.shown == "backup"
    pool.apply(b1, Event.FAILED, "L4CON")
    assert (b1.shown, b1.available(tied=True)) == ("down", False)


def test_a_server_that_left_the_pool_takes_nothing() -> None:
    pool = pool_of("s1")
    (s1,) = pool
    pool.remove(s1)
    assert not s1.available(tied=True)


def test_a_change_says_why_in_words_and_in_a_code() -> None:
    pool = pool_of("s1")
    (s1,) = pool
    change = pool.apply(s1, Event.FAILED, "L4CON refused", "L4CON")
    assert change is not None
    assert (change.words, change.cause, change.code, change.at) == (
        ("up", "down"),
        "L4CON refused",
        "L4CON",
        42.0,
    )
    assert (s1.code, s1.changed_at) == ("L4CON", 42.0)


def test_nothing_leaves_the_state_gone() -> None:
    assert not [pair for pair in TRANSITIONS if pair[0] is State.GONE]


def test_a_draining_server_that_was_down_for_a_moment_is_still_draining() -> None:
    pool, server = pool_with(State.DRAINING)
    pool.apply(server, Event.FAILED, "L4CON")
    assert server.state.shown == "down"
    pool.apply(server, Event.PASSED, "L7OK")
    assert server.state is State.DRAINING


def test_a_server_at_a_new_address_must_prove_itself() -> None:
    pool, server = pool_with(State.UP)
    before = server.residence
    pool.move(server, Address("127.0.0.1", 9999))
    assert server.state is State.STARTING
    assert server.residence == before + 1
    assert pool.open == ()


def test_a_server_in_maintenance_is_not_checked() -> None:
    assert State.MAINTENANCE not in CHECKED


def test_two_servers_cannot_have_one_name() -> None:
    pool, _ = pool_with(State.UP)
    with pytest.raises(ValueError, match="s1 is in the pool already"):
        pool.add("s1", HERE)


def test_one_success_is_enough_for_a_server_never_seen_before() -> None:
    assert Health(rise=3, fall=2).record(WELL, State.STARTING) is Event.PASSED


def test_rise_successes_in_a_row_bring_a_server_back() -> None:
    health = Health(rise=2, fall=2)
    assert health.record(WELL, State.DOWN) is None
    assert health.is_wavering(State.DOWN)
    assert health.record(ILL, State.DOWN) is None
    assert health.record(WELL, State.DOWN) is None
    assert health.record(WELL, State.DOWN) is Event.PASSED


def test_fall_failures_in_a_row_take_a_server_down() -> None:
    health = Health(rise=1, fall=2)
    assert health.record(ILL, State.UP) is None
    assert health.is_wavering(State.UP)
    assert health.record(WELL, State.UP) is Event.PASSED
    assert health.record(ILL, State.UP) is None
    assert health.record(ILL, State.UP) is Event.FAILED


def test_the_worst_case_of_detection_counts_every_wait() -> None:
    assert worst_case_detection(inter=2, fastinter=0.5, fall=3, timeout=1) == 2 + 1 + 2 * (0.5 + 1)


def test_the_picture_in_the_readme_is_drawn_from_the_table() -> None:
    shown = README.partition("```mermaid\n")[2].partition("\n```")[0]
    assert shown == states(), "draw it again: .venv/bin/python -m lb.picture"


def test_the_picture_shows_every_transition_once() -> None:
    arrows = [line for line in states().splitlines() if " --> " in line and not line.endswith(": added")]
    labels = [label for line in arrows for label in line.partition(": ")[2].split(", ")]
    assert Counter(labels) == Counter(event.value for _, event in TRANSITIONS)
