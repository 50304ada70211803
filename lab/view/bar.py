"""One line filled with parts, each in proportion, with a fill and a colour of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.text import Text


@dataclass(frozen=True, slots=True)
class Part:
    count: int
    word: str
    fill: str
    style: str
    sign: str = ""
    sign_style: str = ""

    @property
    def mark(self) -> tuple[str, str]:
        """What stands before the word: the fill, where nothing smaller is told."""
        return self.sign or self.fill, (self.sign_style or self.style) if self.count else "dim"


@dataclass(frozen=True, slots=True)
class Bar:
    """As wide as the space it gets, after ``label``."""

    label: Text
    parts: tuple[Part, ...]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        line = self.label.copy()
        cells = allot([part.count for part in self.parts], options.max_width - line.cell_len)
        for part, width in zip(self.parts, cells, strict=True):
            line.append(part.fill * width, part.style)
        yield line


def allot(counts: Sequence[int], cells: int) -> list[int]:
    """``cells`` shared out in proportion to ``counts``; one cart in five thousand still gets its cell."""
    total = sum(counts)
    if total == 0 or cells <= 0:
        return [0] * len(counts)
    shares = [count * cells / total for count in counts]
    given = [max(int(share), 1) if count else 0 for share, count in zip(shares, counts, strict=True)]
    while sum(given) < cells:
        given[max(range(len(given)), key=lambda i: shares[i] - given[i])] += 1
    while sum(given) > cells:
        given[max(range(len(given)), key=lambda i: (given[i] > 1, given[i] - shares[i]))] -= 1
    return given
