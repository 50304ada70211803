"""The arm's time axis: requests a second as a curve, and the fault's interval below it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from rich.text import Text

from lab.view.glyphs import ALARM, BAD, BAD_FILL, GOOD, GOOD_FILL, QUIET, STRONG, clean
from lab.view.meter import CELLS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

    from lab.timeline import Interval
    from lab.view.arm import ArmState
    from lab.view.meter import Strip
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
        strip = self.state.flow(self.arm.name).strip.reaching(self.state.time)
        counts = _spread(strip.counts, columns)
        hit = [self._is_hit(strip, column / columns, (column + 1) / columns) for column in range(columns)]
        troubled = [bool(trouble) for trouble in _spread(strip.troubles, columns)]
        yield from self._curve(counts, hit)
        yield self._fault(hit, troubled)
        yield _seconds(strip, columns)

    def _is_hit(self, strip: Strip, begin: float, end: float) -> bool:
        """Whether a fault was active between two parts of the strip."""
        origin, now = strip.origin or 0, self.state.time
        since, until = origin + begin * strip.span, origin + end * strip.span
        return since <= now and any(
            fault.begin < until and since < (now if fault.end is None else fault.end)
            for fault in self.arm.faults
        )

    def _curve(self, counts: list[int], hit: list[bool]) -> Iterator[Text]:
        steps = self.state.glyphs.steps
        levels = len(steps)
        highest = max(counts, default=0) or 1
        heights = [-(-count * levels * self.rows // highest) for count in counts]
        for row in reversed(range(self.rows)):
            fills = [min(max(height - row * levels, 0), levels) for height in heights]
            cells = [(steps[fill - 1] if fill else " ") for fill in fills]
            styles = [
                (BAD_FILL if is_hit else GOOD_FILL) if fill == levels else (BAD if is_hit else GOOD)
                for fill, is_hit in zip(fills, hit, strict=False)
            ]
            yield _in_runs("REQ/S" if row == self.rows - 1 else "", zip(cells, styles, strict=True))

    def _fault(self, hit: list[bool], troubled: list[bool]) -> Text:
        """The shaded interval with its name beside it, ``!`` where a shopper saw an error."""
        glyphs = self.state.glyphs
        cells = [(glyphs.fault, BAD) if is_hit else (" ", "") for is_hit in hit]
        for column, is_troubled in enumerate(troubled):
            if is_troubled:
                cells[column] = (glyphs.error, ALARM)
        if True not in hit:
            return _in_runs("FAULT", cells if any(troubled) else [("none so far", QUIET)])
        begin, end = hit.index(True), len(hit) - hit[::-1].index(True)
        at, name = _place(self.arm.faults, begin, end, len(cells))
        style = ALARM if begin <= at < end else BAD
        cells[at : at + len(name)] = [(letter, style) for letter in name]
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


def _place(faults: tuple[Interval, ...], begin: int, end: int, columns: int) -> tuple[int, str]:
    """What to call the shaded columns, and from which column on: beside them, else on them, else shorter."""
    targets = {fault.target for fault in faults}
    whom = clean(faults[-1].target) if len(targets) == 1 else f"{len(targets)} servers"
    for name in (f" {clean(faults[-1].fault)} {whom} ", f" {whom} "):
        if end + len(name) <= columns + 1:
            return end, name.rstrip()
        if len(name) <= begin:
            return begin - len(name), name
        if len(name) <= end - begin:
            return begin, name
    return 0, whom[:columns]


def _seconds(strip: Strip, columns: int) -> Text:
    """The run's clock at every quarter, as the happenings give it."""
    line = ""
    for quarter in range(4):
        at = f"{(strip.origin or 0) + strip.span * quarter / 4:g}"
        line = line.ljust(quarter * columns // 4) + (f"{at} s" if quarter == 0 else at)
    return Text(_label("") + line, QUIET, no_wrap=True)


if __name__ == "__main__":
    from rich.console import Console as Terminal

    from lab.view.sample import state_at

    sample = state_at(9.0)
    Terminal(width=46).print(panel(sample, sample.arms[0], rows=2))
