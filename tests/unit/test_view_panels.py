"""Every panel stands alone, and all together fit the terminal: drawn for real, and read as text."""

from __future__ import annotations

import io
import runpy
import sys
from dataclasses import fields, replace
from typing import TYPE_CHECKING

import pytest
from rich.cells import cell_len
from rich.console import Console

from lab.timeline import ArmReady, Judged, Noted, ServerChanged
from lab.view import act, axis, balancer, carts, happenings, sample, servers, summary, traffic
from lab.view.arm import ServerState
from lab.view.glyphs import ASCII, UNICODE, Glyphs
from lab.view.layout import Size, compose, share, smallest
from lab.view.state import State, update

if TYPE_CHECKING:
    from rich.console import RenderableType

STATES = ("starting", "up", "draining", "maintenance", "down")


def drawn(renderable: RenderableType, width: int = 100, **console: bool) -> str:
    file = io.StringIO()
    Console(file=file, width=width, height=30, **console).print(renderable)  # type: ignore[arg-type]  # flags only
    return file.getvalue()


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
def test_every_shape_is_one_column_wide(glyphs: Glyphs) -> None:
    shapes = [getattr(glyphs, field.name) for field in fields(glyphs) if field.name != "steps"]
    assert {cell_len(shape) for shape in (*shapes, *glyphs.steps)} == {1}


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
def test_states_and_fates_differ_without_any_colour(glyphs: Glyphs) -> None:
    assert len({glyphs.shape(state) for state in STATES}) == len(STATES)
    fates = (glyphs.kept, glyphs.lost, glyphs.unavailable, glyphs.other, glyphs.empty)
    assert len(set(fates)) == len(fates)


def test_letters_stand_in_where_the_encoding_knows_no_shapes() -> None:
    text = "".join(getattr(ASCII, field.name) for field in fields(ASCII))
    assert text.isascii()


@pytest.mark.parametrize("moment", [0.0, 0.3, 3.0, 9.0, 12.5, 15.0, 20.0])
@pytest.mark.parametrize(("arms", "count"), [(2, 3), (2, 6), (2, 12), (1, 3), (1, 12)])
@pytest.mark.parametrize("size", [Size(100, 30), Size(80, 27), Size(160, 50)], ids=str)
def test_the_screen_fills_the_terminal_exactly(moment: float, arms: int, count: int, size: Size) -> None:
    state = sample.state_at(moment, servers=count, shoppers=60)
    state = replace(state, arms=state.arms[:arms])
    lines = drawn(compose(state, size), size.width).splitlines()
    assert len(lines) == size.height
    assert max(cell_len(line) for line in lines) <= size.width


@pytest.mark.parametrize("count", [3, 6])
def test_the_smallest_screen_shows_every_server_the_carts_the_fault_and_a_happening(count: int) -> None:
    size = smallest(2, count)
    text = drawn(compose(sample.state_at(9.0, servers=count, shoppers=60), size), size.width)
    for word in (
        *(f"server-{number}" for number in range(1, count + 1)),
        "CARTS",
        "FAULT",
        " 7.03 ",
        "Ctrl-C",
    ):
        assert word in text, word


def test_three_servers_an_arm_fit_the_terminal_that_everybody_has() -> None:
    assert smallest(2, 3) <= Size(80, 24)


@pytest.mark.parametrize("lines", range(30))
def test_every_spare_line_goes_to_somebody(lines: int) -> None:
    assert sum(share(lines).values()) == lines


def test_no_room_is_no_reason_to_fail() -> None:
    assert sum(share(-5).values()) == 0
    drawn(compose(sample.state_at(9.0, shoppers=60), Size(30, 10)), 30)


@pytest.mark.parametrize("state", STATES)
def test_a_server_row_says_its_state_by_shape_and_word(state: str) -> None:
    arm = replace(State().arm("sticky"), servers=(ServerState("server-1", state, carts=104, cpu=12.0),))
    text = drawn(servers.panel(State(), arm), 46)
    word = {"down": "DOWN", "maintenance": "maint."}.get(state, state)
    assert f"{UNICODE.shape(state)} {word}" in text
    assert ("104" in text) == (state != "down")


def test_of_many_servers_those_that_are_not_up_keep_their_row() -> None:
    many = [ServerState(f"server-{n}", "down" if n in (9, 11) else "up") for n in range(1, 13)]
    shown, hidden = servers.choose(many, 6)
    assert [server.name for server in shown] == ["server-1", "server-2", "server-3", "server-9", "server-11"]
    assert {server.state for server in hidden} == {"up"}
    arm = replace(State().arm("sticky"), servers=tuple(many))
    assert "and 7 more: ● 7 up" in drawn(servers.panel(State(), arm), 46)


def test_of_many_servers_down_the_rest_is_counted_honestly() -> None:
    many = tuple(ServerState(f"server-{n}", "down" if n > 3 else "up") for n in range(1, 13))
    arm = replace(State().arm("sticky"), servers=many)
    assert "and 7 more: ● 3 up, ✘ 4 down" in drawn(servers.panel(State(), arm), 46)


def test_carts_are_judged_in_the_oracles_words_once_there_is_a_verdict() -> None:
    state = sample.state_at(20.0)
    text = drawn(carts.panel(state, state.arm("sticky")), 46)
    assert "200 kept" in text
    assert "100 lost" in text
    assert "0 unavailable" in text


def test_what_is_neither_kept_nor_lost_is_on_the_bar_too() -> None:
    counts = {"kept": 1, "lost": 0, "unavailable": 2, "duplicated": 3, "unexpected": 0, "unknown": 4}
    state = update(State(), Judged(1.0, "sticky", "broken", "s", counts))
    text = drawn(carts.panel(state, state.arm("sticky")), 100)
    assert "3 duplicated" in text
    assert "4 unknown" in text
    assert "unexpected" not in text


def test_a_fault_is_named_and_shaded_on_the_time_axis() -> None:
    state = sample.state_at(9.0)
    text = drawn(axis.panel(state, state.arm("sticky")), 46)
    assert "kill server-2" in text
    assert UNICODE.fault * 3 in text
    calm = sample.state_at(5.0)
    assert "none so far" in drawn(axis.panel(calm, calm.arm("sticky")), 46)


@pytest.mark.parametrize("moment", [7.2, 9.0, 12.0, 16.0])
@pytest.mark.parametrize(("width", "name"), [(20, "server-2"), (36, "server-2"), (46, "kill server-2")])
def test_the_name_of_a_fault_is_never_cut(moment: float, width: int, name: str) -> None:
    state = sample.state_at(moment, shoppers=60)
    assert f" {name}" in drawn(axis.panel(state, state.arm("sticky")), width)


def test_errors_that_shoppers_saw_come_first_and_unknown_ends_by_their_name() -> None:
    state = sample.state_at(9.0)
    flow = state.flow("sticky")
    hurt = replace(flow, traffic=replace(flow.traffic, failed=2, unknown=3))
    text = drawn(traffic.panel(replace(state, flows={"sticky": hurt}), state.arm("sticky")), 46)
    assert text.startswith(" 5 errors  3 unknown")


def test_who_waits_for_enter_says_so_even_beside_a_verdict() -> None:
    for moment in (9.0, 20.0):
        state = replace(sample.state_at(moment, shoppers=60), prompt="Enter: read back")
        text = drawn(compose(state, smallest(2, 3)), 80)
        assert "Enter: read back" in text


def test_a_word_on_the_whole_run_is_read_below_the_arms() -> None:
    state = update(sample.state_at(9.0), Noted(9.0, "SIGINT: healing what is broken"))
    assert "SIGINT: healing" in drawn(act.panel(state))


def test_square_brackets_of_users_and_servers_are_text() -> None:
    name = "[bold red]x[/nope]"
    state = sample.state_at(9.0)
    for event in (
        ArmReady(9.0, "sticky", name, name, name, name, (), name),
        ServerChanged(9.0, "sticky", "server-1", "up", name),
        Judged(9.0, "sticky", name, name, {name: 1}, name),
    ):
        state = update(state, event)
    arm = state.arm("sticky")
    panels = (balancer.panel, servers.panel, carts.panel, axis.panel, happenings.panel)
    text = "".join(drawn(panel(state, arm), 200) for panel in panels) + drawn(summary.panel(state), 200)
    assert text.count(name) >= 5


@pytest.mark.parametrize("moment", [9.0, 20.0])
def test_without_colour_no_colour_is_written(moment: float) -> None:
    file = io.StringIO()
    console = Console(file=file, width=100, height=30, force_terminal=True, no_color=True)
    console.print(compose(sample.state_at(moment, shoppers=60), Size(100, 30)))
    assert "\x1b[38" not in file.getvalue()
    assert "\x1b[48" not in file.getvalue()
    assert "48;2" not in file.getvalue()


@pytest.mark.parametrize("moment", [0.0, 0.3, 9.0, 20.0])
def test_what_stays_on_the_normal_screen_tells_how_it_ended(moment: float) -> None:
    text = drawn(summary.panel(sample.state_at(moment) if moment else State()))
    expected = {0.0: "before it began", 0.3: "'steady'", 9.0: "'shop on'", 20.0: "AS EXPECTED"}
    assert expected[moment] in text


PANELS = ("act", "axis", "balancer", "carts", "happenings", "header", "layout", "servers", "traffic")


@pytest.mark.parametrize("panel", PANELS)
def test_every_panel_can_be_run_alone(panel: str, capsys: pytest.CaptureFixture[str]) -> None:
    sys.modules.pop(f"lab.view.{panel}", None)
    runpy.run_module(f"lab.view.{panel}", run_name="__main__")
    assert capsys.readouterr().out.strip()


def test_where_only_ascii_can_be_written_letters_and_plain_frames_are_drawn() -> None:
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="replace")
    console = Console(file=file, width=100, height=30)
    console.print(compose(replace(sample.state_at(9.0), glyphs=ASCII), Size(100, 30)))
    file.seek(0)
    text = file.read()
    assert "X DOWN" in text
    assert "+ up" in text
    assert "xxxxx" in text
    assert "+----" in text
