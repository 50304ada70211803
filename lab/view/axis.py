"""The arm's time axis: requests a second as a curve, and the fault's interval below it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from rich.text import Text

from lab.view.glyphs import ALARM, BAD, GOOD, QUIET, STRONG, clean
from lab.view.meter import CELLS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

    from lab.timeline import Interval
    from lab.view.arm import ArmState
    from lab.view.state import State

GUTTER = 6


def height(rows: int) -> int:
    return rows + 2


def panel(state: State, arm: ArmState, rows: int = 1) -> RenderableType:
    """``rows`` is the height of the curve; fault and seconds take one more line each."""
    return Axis(state, arm, rows)


@dataclass(frozen=True, slots=True)
class Axis:
    state: State
    arm: ArmState
    rows: int

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        columns = max(options.max_width - GUTTER, 1)
        strip = self.state.flow(self.arm.name).strip.reaching(self.state.now)
        counts = _spread(strip.counts, columns)
        span = strip.seconds * CELLS
        hit = [
            _is_within(self.arm.faults, self.state.now, column, span / columns) for column in range(columns)
        ]
        troubled = [bool(trouble) for trouble in _spread(strip.troubles, columns)]
        yield from self._curve(counts, hit)
        yield self._fault(hit, troubled)
        yield _seconds(span, columns)

    def _curve(self, counts: list[int], hit: list[bool]) -> Iterator[Text]:
        steps = self.state.glyphs.steps
        levels = len(steps)
        highest = max(counts, default=0) or 1
        heights = [-(-count * levels * self.rows // highest) for count in counts]
        for row in reversed(range(self.rows)):
            fills = [min(max(height - row * levels, 0), levels) for height in heights]
            cells = [(steps[fill - 1] if fill else " ") for fill in fills]
            styles = [BAD if is_hit else GOOD for is_hit in hit]
            yield _in_runs("REQ/S" if row == self.rows - 1 else "", zip(cells, styles, strict=False))

    def _fault(self, hit: list[bool], troubled: list[bool]) -> Text:
        """The shaded interval with its name beside it, ``!`` where a shopper saw an error."""
        glyphs = self.state.glyphs
        if not self.arm.faults:
            return _in_runs("FAULT", [("none so far", QUIET)])
        name = clean(f"{self.arm.faults[-1].fault} {self.arm.faults[-1].target}")
        cells = [(glyphs.fault, BAD) if is_hit else (" ", "") for is_hit in hit]
        for column, is_troubled in enumerate(troubled):
            if is_troubled and hit[column]:
                cells[column] = (glyphs.error, ALARM)
        begin = hit.index(True) if True in hit else 0
        end = len(hit) - hit[::-1].index(True) if True in hit else 0
        if end + len(name) < len(hit) or begin <= len(name):
            cells[end:] = [(" ", ""), *((letter, BAD) for letter in name)]
        else:
            cells[begin - len(name) - 1 : begin - 1] = [(letter, BAD) for letter in name]
        return _in_runs("FAULT", cells)


def _in_runs(label: str, cells: Iterable[tuple[str, str]]) -> Text:
    """A line from its cells; neighbours of one style become one piece, which rich draws far quicker."""
    line = Text(_label(label), STRONG, no_wrap=True, overflow="crop")
    for style, run in groupby(cells, key=itemgetter(1)):
        line.append("".join(text for text, _ in run), style or "not bold")
    return line


def _label(text: str) -> str:
    return f"{text:<{GUTTER}}"


def _spread(cells: tuple[int, ...], columns: int) -> list[int]:
    """``cells`` drawn over ``columns``: each column shows the highest of the cells it touches."""
    used = -(-len(cells) * columns // CELLS)
    return [
        max(cells[column * CELLS // columns : max(-(-(column + 1) * CELLS // columns), 1)], default=0)
        for column in range(used)
    ]


def _is_within(faults: tuple[Interval, ...], now: float, column: int, seconds: float) -> bool:
    begin, end = column * seconds, (column + 1) * seconds
    return any(
        fault.begin < end and begin < (now if fault.end is None else fault.end) and begin <= now
        for fault in faults
    )


def _seconds(span: float, columns: int) -> Text:
    marks = [span * quarter / 4 for quarter in range(4)]
    line = ""
    for quarter, mark in enumerate(marks):
        line = line.ljust(quarter * columns // 4) + (f"{mark:g} s" if quarter == 0 else f"{mark:g}")
    return Text(_label("") + line.ljust(columns - len(f"{span:g}")) + f"{span:g}", QUIET, no_wrap=True)


if __name__ == "__main__":
    from rich.console import Console as Terminal

    from lab.view.sample import state_at

    sample = state_at(9.0)
    Terminal(width=46).print(panel(sample, sample.arms[0], rows=2))
