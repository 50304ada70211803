"""Who gets the screen, who gets lines, and what they are told about it."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from lab.view.choice import Silent, view_for, why_plain
from lab.view.layout import smallest
from lab.view.plain import Plain
from lab.view.screen import Screen


def terminal(width: int = 100, height: int = 30, *, is_terminal: bool = True, term: str = "xterm") -> Console:
    return Console(
        file=io.StringIO(), width=width, height=height, force_terminal=is_terminal, _environ={"TERM": term}
    )


def said(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_terminal_that_is_large_enough_shows_the_screen() -> None:
    console = terminal()
    assert isinstance(view_for(console, lambda: 0.0, arms=2, servers=6), Screen)
    assert said(console) == ""


def test_a_pipe_gets_lines_and_is_told_why() -> None:
    console = terminal(is_terminal=False)
    assert isinstance(view_for(console, lambda: 0.0, arms=2, servers=3), Plain)
    assert said(console) == "Plain output: this is no terminal.\n"


@pytest.mark.parametrize(("width", "height"), [(79, 40), (120, 23)])
def test_a_small_terminal_gets_lines_and_hears_what_would_be_enough(width: int, height: int) -> None:
    console = terminal(width, height)
    assert isinstance(view_for(console, lambda: 0.0, arms=2, servers=3), Plain)
    need = smallest(2, 3)
    assert f"needs {need.width}x{need.height}, this terminal has {width}x{height}" in said(console)


def test_a_terminal_that_cannot_move_its_cursor_gets_lines() -> None:
    assert "TERM=dumb" in (why_plain(terminal(term="dumb"), 2, 3) or "")


def test_who_asked_for_lines_is_told_nothing() -> None:
    console = terminal()
    assert isinstance(view_for(console, lambda: 0.0, arms=2, servers=3, plain=True), Plain)
    assert said(console) == ""


def test_beside_an_object_of_json_nothing_is_printed() -> None:
    console = terminal(is_terminal=False)
    assert isinstance(view_for(console, lambda: 0.0, arms=2, servers=3, silent=True), Silent)
    assert said(console) == ""


def test_a_letter_that_the_encoding_lacks_does_not_end_the_run() -> None:
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    view = view_for(Console(file=file), lambda: 0.0, arms=2, servers=3, plain=True)
    assert isinstance(view, Plain)
    with view:
        file.write("\N{MULTIPLICATION SIGN}")
