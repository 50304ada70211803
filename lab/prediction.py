"""What somebody expected before they looked, and what it says about how they think. Pure.

Who has committed to an answer watches differently, and a wrong one is worth more than none when it has
a name. The options stand in an order of the seed's, so that the place of the right one gives nothing away.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.scenario import Prediction, Scenario


@dataclass(frozen=True, slots=True)
class Guess:
    """``chosen`` by somebody, and the one that is ``right``."""

    chosen: Prediction
    right: Prediction

    def lines(self) -> Iterator[str]:
        """What to tell them afterwards."""
        if self.chosen.is_right:
            yield f"You expected just that: {self.right.text}."
            return
        yield f"You expected: {self.chosen.text}."
        yield f"It is: {self.right.text}."
        yield f"What misled you: {self.chosen.misconception}."


def options(scenario: Scenario, seed: int) -> tuple[Prediction, ...]:
    """All that one can expect, the right one somewhere among them."""
    rng = Random(seed)  # noqa: S311 - the order is no secret
    return tuple(rng.sample(scenario.predictions, len(scenario.predictions)))


def guess(scenario: Scenario, chosen: Prediction) -> Guess:
    return Guess(chosen, next(each for each in scenario.predictions if each.is_right))
