"""The question before the run: what do you expect? Numbers choose, Enter alone skips it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from lab.view.glyphs import QUIET, STRONG, clean

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import Console, RenderableType

    from lab.scenario import Prediction, Scenario


def panel(scenario: Scenario, choices: Sequence[Prediction]) -> RenderableType:
    """``choices`` with their numbers, wrapped where the terminal ends."""
    lines = Table.grid(padding=(0, 2, 0, 0))
    lines.add_column(style=STRONG, justify="right", width=3)
    lines.add_column()
    for number, choice in enumerate(choices, 1):
        lines.add_row(str(number), Text(clean(choice.text)))
    whole = Table.grid(padding=(0, 0, 1, 0))
    whole.add_row(Text.assemble((clean(scenario.title), STRONG), ("   before it begins", QUIET)))
    whole.add_row(Text(clean(scenario.question)))
    whole.add_row(lines)
    return Padding(whole, (1, 1, 0, 1))


def ask(
    console: Console,
    scenario: Scenario,
    choices: Sequence[Prediction],
    read: Callable[[], str] = input,
) -> Prediction | None:
    """The choice, or None for Enter alone and for an input that ends. What makes no sense is asked again."""
    console.print(panel(scenario, choices))
    while True:
        console.print(f" What do you expect? 1 to {len(choices)}, or Enter to just watch: ", end="")
        try:
            typed = read().strip()
        except EOFError:
            console.print()
            return None
        if not typed:
            return None
        if typed.isdecimal() and 1 <= int(typed) <= len(choices):
            return choices[int(typed) - 1]
        console.print(f" {clean(typed[:20])!r} is none of them.", markup=False, highlight=False)


if __name__ == "__main__":
    from rich.console import Console as Terminal

    from lab.scenarios import SCENARIOS

    CRASH = SCENARIOS["crash"]
    ask(Terminal(), CRASH, CRASH.predictions)
