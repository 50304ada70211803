"""The arm's time axis: requests a second as a curve, and the fault's interval below it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.text import Text

from lab.view.glyphs import ALARM, BAD, GOOD, QUIET, STRONG, clean
from lab.view.meter import CELLS

if TYPE_CHECKING:
    from collections.abc import Iterator

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
        strip = self.arm.strip.reaching(max(self.state.now, self.arm.strip.seconds))
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
            line = Text(_label("REQ/S" if row == self.rows - 1 else ""), STRONG, no_wrap=True)
            for level, is_hit in zip(heights, hit, strict=False):
                here = min(max(level - row * levels, 0), levels)
                line.append(steps[here - 1] if here else " ", BAD if is_hit else GOOD)
            yield line

    def _fault(self, hit: list[bool], troubled: list[bool]) -> Text:
        """The shaded interval with its name beside it, ``!`` where a shopper saw an error."""
        glyphs = self.state.glyphs
        line = Text(_label("FAULT"), STRONG, no_wrap=True)
        if not self.arm.faults:
            return line.append("none so far", QUIET)
        name = clean(f"{self.arm.faults[-1].fault} {self.arm.faults[-1].target}")
        end = max((column for column, is_hit in enumerate(hit) if is_hit), default=-1)
        begin = hit.index(True) if end >= 0 else 0
        before = f"{name} " if end + 2 + len(name) > len(hit) and begin > len(name) else ""
        for column, is_hit in enumerate(hit[: end + 1]):
            is_troubled = column < len(troubled) and troubled[column]
            text = begin - len(before) <= column < begin
            if text:
                line.append(before[column - begin + len(before)], BAD)
            elif is_hit:
                line.append(*((glyphs.error, ALARM) if is_troubled else (glyphs.fault, BAD)))
            else:
                line.append(" ")
        return line if before else line.append(f" {name}", BAD)


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
