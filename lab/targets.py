"""Which servers a fault hits: the biggest, a named one, or a share of them. Pure.

An empty target set is refused: a demo that hits nothing must not look green.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from lab.errors import UsageProblem, unknown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

BIGGEST = "biggest"


@dataclass(frozen=True, slots=True)
class Target:
    """``biggest``, a server's name, or ``N%`` of the servers, those with most carts first."""

    text: str

    def check(self, servers: Sequence[str]) -> None:
        """Refuse, before anything starts, a target that these servers cannot be."""
        if self.text == BIGGEST or self.text in servers:
            return
        if not self.text.endswith("%"):
            raise unknown("server or target", self.text, [BIGGEST, *servers, "50%"])
        share = _percent(self.text)
        if not 0 < share <= 100:  # noqa: PLR2004 - a percentage
            raise UsageProblem(
                f"--crash {self.text} was given; a share from 1% to 100% was expected. "
                "Zero servers would be a demo that breaks nothing: run the scenario 'calm' for that."
            )

    def choose(self, carts: Mapping[str, int]) -> tuple[str, ...]:
        """The servers hit, given how many carts each holds. Ties go to the first name."""
        self.check(list(carts))
        by_size = sorted(carts, key=lambda name: (-carts[name], name))
        if self.text == BIGGEST:
            return (by_size[0],)
        if self.text in carts:
            return (self.text,)
        return tuple(by_size[: ceil(len(carts) * _percent(self.text) / 100)])


def _percent(text: str) -> float:
    try:
        return float(text.removesuffix("%"))
    except ValueError:
        raise UsageProblem(
            f"--crash {text!r} was given; 'biggest', a server's name such as 'server-2', "
            "or a share such as '50%' was expected."
        ) from None
