"""The carts of an arm as one bar: kept, lost, unavailable; while shopping, as far as was seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from lab.view.bar import Bar, Part
from lab.view.glyphs import ALARM, BUSY, GOOD, GOOD_FILL, QUIET, STRONG

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

    from lab.view.arm import ArmState
    from lab.view.glyphs import Glyphs
    from lab.view.state import State


#: Kept, lost and unavailable are said even of nobody: their difference is the lesson.
ALWAYS_SAID = 3


def panel(state: State, arm: ArmState, rows: int = 1) -> RenderableType:
    """``rows`` is the height of the bar; the words for it take one more line."""
    parts = judged_parts(arm, state.glyphs) if arm.judged else running_parts(arm, state)
    bars = (Bar(Text(label, STRONG), parts) for label in ("CARTS ", *["      "] * (rows - 1)))
    return Group(*bars, Legend(parts))


def running_parts(arm: ArmState, state: State) -> tuple[Part, ...]:
    """What the shoppers' own answers show so far. A cart that came back empty stays counted as such."""
    traffic, glyphs = state.flow(arm.name).traffic, state.glyphs
    rest = max(state.shoppers - traffic.begun, 0)
    silent = (Part(traffic.unanswered, "no answer", glyphs.unavailable, BUSY),) if traffic.unanswered else ()
    return (
        Part(traffic.kept, "filled", glyphs.kept, GOOD_FILL, glyphs.kept_sign, GOOD),
        Part(traffic.lost, "emptied", glyphs.lost, ALARM),
        *silent,
        Part(rest, "to fill", glyphs.empty, QUIET),
    )


def judged_parts(arm: ArmState, glyphs: Glyphs) -> tuple[Part, ...]:
    counts = dict(arm.judged.counts) if arm.judged else {}
    looks = {
        "kept": (glyphs.kept, GOOD_FILL, glyphs.kept_sign, GOOD),
        "lost": (glyphs.lost, ALARM),
        "unavailable": (glyphs.unavailable, BUSY),
    }
    parts = [Part(counts.pop(word, 0), word, *look) for word, look in looks.items()]
    return (*parts, *(Part(count, word, glyphs.other, BUSY) for word, count in counts.items()))


def height(rows: int) -> int:
    return rows + 1


@dataclass(frozen=True, slots=True)
class Legend:
    """The words for the fills; where it gets narrow, first the indent goes, then what counts nothing."""

    parts: tuple[Part, ...]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        said = [part for i, part in enumerate(self.parts) if part.count or i < ALWAYS_SAID]
        counted = [part for part in said if part.count]
        fits = (
            line
            for line in (_words(said, 6), _words(said), _words(counted))
            if line.cell_len <= options.max_width
        )
        yield next(fits, _words(counted))


def _words(parts: list[Part], indent: int = 0) -> Text:
    line = Text(" " * indent, no_wrap=True, overflow="ellipsis")
    for index, part in enumerate(parts):
        line.append("  " if index else "").append(*part.mark).append(f" {part.count:,} {part.word}")
    return line


if __name__ == "__main__":
    from rich.console import Console as Terminal

    from lab.view.sample import state_at

    for moment in (2.5, 9.0, 20.0):
        sample = state_at(moment)
        Terminal(width=46).print(panel(sample, sample.arms[0]))
