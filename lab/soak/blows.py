"""Which faults meet a window, on whom, when and for how long. Pure.

There are two lanes, one for servers and the balancer and one for the store, each with one fault at a time:
a promise speaks of one server, so two never lie at once, but a server and the store may. A blow waits
for the one before it to be healed.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random


@dataclass(frozen=True, slots=True)
class Blow:
    """``fault`` on ``target`` from second ``at``, or when its lane is free, for ``hold`` seconds."""

    fault: str
    target: str
    at: float
    hold: float


#: Faults that come one after the other, each with those that it can hit.
Lane = tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds: shortest and longest time for which a fault stays, and from one to the next."""

    hold: tuple[float, float]
    rest: tuple[float, float]


#: A soak leaves time to notice and to recover; trials only want to be many.
STEADY = Pace(hold=(0.3, 3.0), rest=(0.5, 3.0))
BRISK = Pace(hold=(0.1, 0.6), rest=(0.2, 0.6))
#: Where carts have copies: a server is given up after a second, and only then copied anew.
PATIENT = Pace(hold=(1.6, 2.4), rest=(1.2, 1.8))


def blows(rng: Random, lanes: Sequence[Lane], seconds: float, pace: Pace) -> list[list[Blow]]:
    """For each lane its blows, all begun within ``seconds`` if healing costs no time."""
    return [_of_lane(rng, lane, seconds, pace) for lane in lanes if lane]


def _throw(rng: Random, lane: Lane, pace: Pace) -> tuple[str, str, float, float]:
    fault, targets = rng.choice(lane)
    return fault, rng.choice(targets), rng.uniform(*pace.rest), rng.uniform(*pace.hold)


def _of_lane(rng: Random, lane: Lane, seconds: float, pace: Pace) -> list[Blow]:
    most = int(seconds / (pace.hold[0] + pace.rest[0])) + 1
    thrown = [_throw(rng, lane, pace) for _ in range(most)]
    ends = accumulate(rest + hold for *_, rest, hold in thrown)
    planned = [
        Blow(fault, target, end - hold, hold)
        for (fault, target, _, hold), end in zip(thrown, ends, strict=True)
    ]
    return [blow for number, blow in enumerate(planned) if number == 0 or blow.at + blow.hold < seconds]
