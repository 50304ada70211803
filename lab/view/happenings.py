"""The last things that happened in an arm, newest last, each with its second."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from lab.view.glyphs import ALARM, BAD, BUSY, GOOD, QUIET

if TYPE_CHECKING:
    from rich.console import RenderableType

    from lab.view.arm import ArmState
    from lab.view.glyphs import Glyphs
    from lab.view.state import State

_STYLES = {
    "up": GOOD,
    "down": BAD,
    "fault": ALARM,
    "heal": GOOD,
    "lost": BAD,
    "error": BAD,
    "moved": GOOD,
    "note": QUIET,
}


def panel(state: State, arm: ArmState, rows: int = 4) -> RenderableType:
    lines = []
    for happening in arm.happenings[-rows:] if rows > 0 else ():
        line = Text(no_wrap=True, overflow="ellipsis")
        line.append(f"{happening.at:6.2f} ", QUIET)
        line.append(_shape(state.glyphs, happening.mark), _STYLES.get(happening.mark, BUSY))
        lines.append(line.append(f" {happening.text}"))
    return Group(*lines)


def _shape(glyphs: Glyphs, mark: str) -> str:
    return glyphs.error if mark == "fault" else glyphs.shape(mark)


if __name__ == "__main__":
    from rich.console import Console

    from lab.view.sample import state_at

    sample = state_at(9.0)
    Console(width=46).print(panel(sample, sample.arms[0]))
