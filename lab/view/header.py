"""One line at the top: which run this is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from lab.view import ahead
from lab.view.glyphs import QUIET, STRONG, clean

if TYPE_CHECKING:
    from rich.console import RenderableType

    from lab.view.state import State

HEIGHT = 1


def panel(state: State) -> RenderableType:
    run = state.run
    line = Table.grid(expand=True)
    line.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    line.add_column(justify="right", no_wrap=True)
    title = Text.assemble((" CART CHAOS LAB", STRONG), f"  {clean(run.title)}" if run else "  starting")
    if run and run.rounds > 1:
        title.append(f"  {run.round} of {run.rounds}", STRONG)
    facts = f"{run.shoppers:,} shoppers  seed {run.seed}  " if run else ""
    left = ahead.words(state)
    facts += f"{left}  " if left else ""
    line.add_row(title, Text.assemble((facts, QUIET), (f"{elapsed(state)} ", STRONG)))
    return line


def elapsed(state: State) -> str:
    seconds = int(state.time)
    return f"{seconds // 60:02}:{seconds % 60:02}"


if __name__ == "__main__":
    from rich.console import Console

    from lab.view.sample import state_at

    Console(width=100).print(panel(state_at(9.0)))
