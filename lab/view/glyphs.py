"""Shapes and colours of the screen, in one place.

No meaning hangs on colour alone: each has a shape and a word too. The colours are blue, orange
and grey-violet of mid brightness, told apart by every kind of colour vision and readable on a
light and on a dark terminal; plain text keeps the terminal's own colour. Where the terminal's
encoding knows no such shapes, letters stand in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: Styles by meaning. Text on the "alarm" style brings its own background, for the last row of a hall.
GOOD: Final = "bold #2f86d1"
BAD: Final = "bold #d9730d"
ALARM: Final = "bold #ffffff on #c4560a"
#: For full blocks: the same colour behind them closes the seams that terminals leave between lines.
GOOD_FILL: Final = "#2f86d1 on #2f86d1"
BAD_FILL: Final = "#d9730d on #d9730d"
BUSY: Final = "bold #a071c9"
QUIET: Final = "dim"
STRONG: Final = "bold"


@dataclass(frozen=True, slots=True)
class Glyphs:
    """Every shape the screen draws; each one column wide."""

    up: str
    starting: str
    draining: str
    maintenance: str
    down: str
    kept: str
    kept_sign: str
    lost: str
    unavailable: str
    other: str
    empty: str
    fault: str
    now: str
    done: str
    error: str
    note: str
    heal: str
    moved: str
    dash: str
    steps: str

    def shape(self, name: str) -> str:
        """The shape of a server's state or of a happening, by its name."""
        return str(getattr(self, name, self.other))


UNICODE = Glyphs(
    up="●",
    starting="◐",
    draining="◌",
    maintenance="◇",
    down="✘",
    kept="█",
    kept_sign="■",
    lost="\N{MULTIPLICATION SIGN}",
    unavailable="▒",
    other="?",
    empty="·",
    fault="▓",
    now="▶",
    done="✔",
    error="!",
    note="\N{MIDDLE DOT}",
    heal="↺",
    moved="→",
    dash="\N{EN DASH}",
    steps="▁▂▃▄▅▆▇█",
)

ASCII = Glyphs(
    up="+",
    starting="~",
    draining="-",
    maintenance="o",
    down="X",
    kept="#",
    kept_sign="#",
    lost="x",
    unavailable="/",
    other="?",
    empty=".",
    fault="%",
    now=">",
    done="+",
    error="!",
    note=".",
    heal="^",
    moved=">",
    dash="-",
    steps="._-=+*#%",
)


def clean(text: str) -> str:
    """``text`` on one line and without control characters: names and messages come from outside."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
