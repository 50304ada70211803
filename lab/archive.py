"""A history too long for memory: carts that lie in files, one line each, as their shoppers wrote them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING

from lab.history import History, Operation
from lab.packing import unpack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(slots=True)
class Archive(History):
    """``parts`` are the files of each arm; in memory is what other arms did."""

    parts: dict[str, list[Path]] = field(default_factory=dict)

    def carts(self, arm: str) -> Iterator[list[Operation]]:
        if arm not in self.parts:
            yield from History.carts(self, arm)
        for line in self._lines(arm):
            yield unpack(json.loads(line))

    def to_lines(self) -> Iterator[str]:
        packed = (line.rstrip("\n") for arm in self.parts for line in self._lines(arm))
        return chain(History.to_lines(self), packed)

    def forget_parts(self) -> None:
        """Once all of them stand in one file."""
        for part in chain(*self.parts.values()):
            part.unlink(missing_ok=True)
        self.parts.clear()

    def _lines(self, arm: str) -> Iterator[str]:
        for part in self.parts.get(arm, ()):
            with part.open(encoding="utf-8") as lines:
                yield from lines
