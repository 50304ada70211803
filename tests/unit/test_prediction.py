"""What somebody expects, asked before the run and answered after it."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from lab.prediction import guess, options
from lab.scenarios import SCENARIOS
from lab.view import question

if TYPE_CHECKING:
    from lab.scenario import Prediction, Scenario

CRASH = SCENARIOS["crash"]


def asked(*typed: str, width: int = 100) -> tuple[Prediction | None, str]:
    console = Console(file=io.StringIO(), width=width)
    answers = iter(typed)

    def read() -> str:
        try:
            return next(answers)
        except StopIteration:
            raise EOFError from None

    chosen = question.ask(console, CRASH, CRASH.predictions, read)
    assert isinstance(console.file, io.StringIO)
    return chosen, console.file.getvalue()


def test_a_number_chooses() -> None:
    assert asked("3")[0] is CRASH.predictions[2]


@pytest.mark.parametrize("typed", [("",), ()], ids=["Enter", "the input ends"])
def test_nobody_has_to_answer(typed: tuple[str, ...]) -> None:
    assert asked(*typed)[0] is None


def test_what_is_no_option_is_asked_again() -> None:
    chosen, shown = asked("9", "two", "0", "1")
    assert chosen is CRASH.predictions[0]
    assert shown.count("is none of them") == 3


def test_every_option_is_shown_with_its_number_on_a_narrow_terminal_too() -> None:
    _, shown = asked("", width=40)
    assert all(len(line) <= 40 for line in shown.splitlines()[:-1])
    words = " ".join(shown.split())
    assert all(f"{n} {p.text.split()[0]}" in words for n, p in enumerate(CRASH.predictions, 1))


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS.keys())
def test_the_place_of_the_right_option_gives_nothing_away(scenario: Scenario) -> None:
    places = {[p.is_right for p in options(scenario, seed)].index(True) for seed in range(50)}
    assert len(places) == len(scenario.predictions)
    assert sorted(p.text for p in options(scenario, 1)) == sorted(p.text for p in scenario.predictions)


def test_a_wrong_one_is_answered_with_the_right_one_and_what_misled() -> None:
    told = list(guess(CRASH, CRASH.predictions[2]).lines())
    assert any(CRASH.predictions[0].text in line for line in told)
    assert told[-1] == "What misled you: routing is taken for storage."


def test_the_right_one_is_just_confirmed() -> None:
    (told,) = guess(CRASH, CRASH.predictions[0]).lines()
    assert told.startswith("You expected just that")
