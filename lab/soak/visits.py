"""What the people of one window do, made up before anybody moves. Pure.

Everybody comes a few times. What breaks promises is among it on purpose: two tabs that add the same
thing at once, and an impatient second click that sends the same key again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from lab.history import Kind
from lab.workload.plan import Step

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from lab.workload.catalogue import Product

#: Of a shopper's visits, the first of which is always a plain add: it makes the cart.
_LOOKS, _TABS, _AGAIN = 0.25, 0.20, 0.20
_FEWEST, _MOST = 3, 7
#: How many tabs add at once.
TABS = 3


@dataclass(frozen=True, slots=True)
class Visit:
    """``steps`` are sent at once, in plan second ``at``; ``again``: the first once more, after its answer."""

    at: float
    steps: tuple[Step, ...]
    again: bool = False


def visits(
    rng: Random, catalogue: Sequence[Product], shoppers: int, seconds: float
) -> list[tuple[Visit, ...]]:
    """For each of ``shoppers`` what they do within ``seconds``, thrown shopper by shopper."""
    return [_of_one(rng, catalogue, seconds) for _ in range(shoppers)]


def _of_one(rng: Random, catalogue: Sequence[Product], seconds: float) -> tuple[Visit, ...]:
    times = sorted(rng.random() * seconds for _ in range(rng.randint(_FEWEST, _MOST)))
    first = Visit(times[0], (_add(rng, times[0], rng.choice(catalogue)),))
    return (first, *(_visit(rng, at, catalogue) for at in times[1:]))


def _visit(rng: Random, at: float, catalogue: Sequence[Product]) -> Visit:
    product, kind = rng.choice(catalogue), rng.random()
    if kind < _LOOKS:
        return Visit(at, (Step(at, Kind.READ),))
    tabs = TABS if kind < _LOOKS + _TABS else 1
    steps = tuple(_add(rng, at, product) for _ in range(tabs))
    return Visit(at, steps, again=tabs == 1 and kind < _LOOKS + _TABS + _AGAIN)


def _add(rng: Random, at: float, product: Product) -> Step:
    return Step(at, Kind.ADD, product, 1, str(UUID(int=rng.getrandbits(128), version=4)))
