"""What else might please: a score for every product, from what is in the cart and was looked at.

Real work over the whole catalogue, and all of it can be done again from the cart: that is what makes
it a state worth keeping close and not worth keeping safe.
"""

from __future__ import annotations

from math import exp, log
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: Shown at most.
BEST = 5
_SAME_WORD = 2.0
#: What was looked at counts less than what was taken.
_SEEN = 0.5


def recommend(prices: Mapping[str, int], held: Iterable[str], seen: Iterable[str]) -> tuple[str, ...]:
    """The best skus that are not held, best first; ``prices``: all that is sold, sku to cents."""
    held = set(held)
    anchors = dict.fromkeys(seen, _SEEN) | dict.fromkeys(held, 1.0)
    scores = {
        sku: sum(weight * _likeness(sku, other, prices) for other, weight in anchors.items())
        for sku in prices
        if sku not in held
    }
    return tuple(sorted(scores, key=lambda sku: (-scores[sku], sku))[:BEST])


def _likeness(one: str, other: str, prices: Mapping[str, int]) -> float:
    """Words in common, and a price of the same size."""
    words = len(set(one.split("-")) & set(other.split("-")))
    return _SAME_WORD * words + exp(-abs(log(prices[one] / prices[other])))
