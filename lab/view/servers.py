"""A row for every server: shape, word and colour of its state, carts, requests a second, CPU."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.text import Text

from lab.view.glyphs import ALARM, BUSY, GOOD, QUIET, clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

    from lab.view.arm import ArmState, ServerState
    from lab.view.glyphs import Glyphs
    from lab.view.meter import Rate
    from lab.view.state import State

#: Rows for servers before the rest is summed up in one line.
ROWS = 6
#: Name, state, carts, requests a second, CPU.
WIDTHS = (9, 10, 5, 6, 6)
_STYLES = {"up": GOOD, "starting": BUSY, "draining": BUSY, "maintenance": BUSY, "down": ALARM}
_WORDS = {"maintenance": "maint.", "down": "DOWN"}


def height(servers: int, rows: int = ROWS) -> int:
    return 1 + min(servers, rows)


def panel(state: State, arm: ArmState, rows: int = ROWS) -> RenderableType:
    return Rows(state, arm, rows)


@dataclass(frozen=True, slots=True)
class Rows:
    """Columns stand as far apart as the width allows."""

    state: State
    arm: ArmState
    rows: int

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        gap = " " * max(min((options.max_width - sum(WIDTHS)) // (len(WIDTHS) - 1), 4), 0)
        yield Text(_aligned(("server", "state", "carts", "req/s", "CPU"), gap), QUIET, no_wrap=True)
        shown, hidden = choose(self.arm.servers, self.rows)
        for server in shown:
            yield _row(server, self.state.flow(self.arm.name).rate_of(server.name), self.state, gap)
        if hidden:
            yield _summary(hidden, self.state.glyphs)


def _aligned(cells: Sequence[str], gap: str) -> str:
    """Words to the left, figures to the right."""
    name, state, *figures = cells
    columns = [name[: WIDTHS[0] - 1].ljust(WIDTHS[0]), state.ljust(WIDTHS[1])]
    columns += [figure.rjust(width) for figure, width in zip(figures, WIDTHS[2:], strict=True)]
    return gap.join(columns)


def choose(servers: Sequence[ServerState], rows: int) -> tuple[list[ServerState], list[ServerState]]:
    """Which servers get a row and which are summed up. Who is not up is never hidden while there is room."""
    if len(servers) <= rows:
        return list(servers), []
    by_interest = sorted(range(len(servers)), key=lambda i: (servers[i].state == "up", i))
    rowed = set(by_interest[: rows - 1])
    return (
        [server for i, server in enumerate(servers) if i in rowed],
        [server for i, server in enumerate(servers) if i not in rowed],
    )


def _row(server: ServerState, rate: Rate, state: State, gap: str) -> Text:
    dash = state.glyphs.dash
    is_gone = server.state == "down"
    badge = f"{state.glyphs.shape(server.state)} {_WORDS.get(server.state, server.state)}"
    cells = (
        clean(server.name),
        badge,
        dash if server.carts is None or is_gone else f"{server.carts:,}",
        f"{rate.per_second(state.time):,}",
        dash if server.cpu is None or is_gone else f"{server.cpu:.0f} %",
    )
    line = Text(_aligned(cells, gap), no_wrap=True, overflow="ellipsis")
    begin = WIDTHS[0] + len(gap)
    # Only the badge is coloured, never the gap after it: a bar of colour must say something.
    line.stylize(_STYLES.get(server.state, BUSY), begin, begin + len(badge) + is_gone)
    return line


def _summary(hidden: Sequence[ServerState], glyphs: Glyphs) -> Text:
    states = Counter(server.state for server in hidden)
    parts = [f"{glyphs.shape(name)} {count} {name}" for name, count in states.items()]
    return Text(f"and {len(hidden)} more: {', '.join(parts)}", QUIET, no_wrap=True, overflow="ellipsis")


if __name__ == "__main__":
    from rich.console import Console as Terminal

    from lab.view.sample import state_at

    sample = state_at(9.0, servers=8)
    Terminal(width=46).print(panel(sample, sample.arms[0]))
