"""Every shopper's whole script, made up before anybody moves.

The plan is a function of the dice, the catalogue and a shape; two arms that get one plan get the
same shoppers, doing the same things, with the same idempotency keys, at the same moments.

* Times are *plan seconds*. A step says when its shopper means to act, whatever the site does: the
  arrivals are open, so a frozen server cannot hide its outage by slowing down those who ask.
* All steps before the crash lie uniformly in ``[0, crash_at)``, all later ones in
  ``[crash_at, seconds)``: together an even stream, like that of many independent people. The gaps
  between one person's steps are the think times.
* Everybody comes back: each shopper adds at least once before the crash, and looks into the cart
  and adds again after it.
* Right before the crash comes a short rush, so that the dying server surely holds requests.
* The dice are thrown shopper by shopper: shopper 7 buys the same things however many others come.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from uuid import UUID

from lab.history import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from lab.workload.catalogue import Product


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ValueError(f"the shape's {name} is {value}; expected {low} to {high}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How the traffic of a plan looks.

    ``seconds`` is how long it takes, longer only when one arm would get more than ``max_rate``
    requests a second: two cores serve some 1,200 a second, for both arms together.
    ``keyless`` is the share of shoppers that send no Idempotency-Key, as the classic Node client.
    ``rush`` is the share of shoppers, at most ``rush_limit`` people, that act once more within
    ``rush_seconds`` before the crash.
    """

    seconds: float
    max_rate: float = 600.0
    keyless: float = 0.0
    rush: float = 0.10
    rush_limit: int = 40
    rush_seconds: float = 0.010

    def __post_init__(self) -> None:
        for name, low, high in (("seconds", 0.01, 86_400), ("max_rate", 0.1, 1e6), ("rush_seconds", 0, 60)):
            _within(name, getattr(self, name), low, high)
        for name in ("keyless", "rush"):
            _within(name, getattr(self, name), 0, 1)


#: The default show leaves time to look; ``--fast`` is as quick as two cores allow.
SHOW = Shape(seconds=13.0)
FAST = Shape(seconds=2.8)


@dataclass(frozen=True, slots=True)
class Step:
    """One request that a shopper means to send at plan time ``at``.

    ``again`` is how many times they ask once more when no answer came.
    """

    at: float
    kind: Kind
    product: Product | None = None
    quantity: int = 0
    key: str | None = None
    again: int = 0


@dataclass(frozen=True, slots=True)
class Script:
    """What one shopper does in one ``tab``. All tabs of a shopper share their cookies, as in a browser."""

    shopper: int
    steps: tuple[Step, ...]
    tab: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """``crash_at`` is the planned step of the crash, the same moment for every arm."""

    scripts: tuple[Script, ...]
    crash_at: float
    seconds: float

    @property
    def operations(self) -> int:
        return sum(len(script.steps) for script in self.scripts)

    def after_crash(self, share: float) -> float:
        """The plan time at which ``share`` of the shopping after the crash is over."""
        return self.crash_at + share * (self.seconds - self.crash_at)

    def due_at(self, plan_time: float) -> int:
        """How many operations are meant to have begun before ``plan_time``."""
        return sum(step.at < plan_time for script in self.scripts for step in script.steps)


@dataclass(frozen=True, slots=True)
class _Draft:
    """A shopper's steps with times from 0 to 1 within their half of the plan."""

    before: tuple[Step, ...]
    after: tuple[Step, ...]
    in_rush: bool


def make_plan(rng: Random, catalogue: Sequence[Product], shoppers: int, shape: Shape = SHOW) -> Plan:
    if shoppers < 1 or not catalogue:
        raise ValueError(
            f"asked for a plan of {shoppers} shoppers and {len(catalogue)} products; "
            "expected at least one of each"
        )
    drafts = [_draft(rng, catalogue, shape) for _ in range(shoppers)]
    early = sum(len(draft.before) for draft in drafts)
    total = early + sum(len(draft.after) for draft in drafts)
    seconds = max(shape.seconds, total / shape.max_rate)
    crash_at = seconds * early / total  # so the stream is as strong before the crash as after it
    rushing = [number for number, draft in enumerate(drafts) if draft.in_rush][: shape.rush_limit]
    scripts = []
    for number, draft in enumerate(drafts):
        before = [replace(step, at=step.at * crash_at) for step in draft.before]
        if number in rushing:
            in_rush = crash_at - draft.before[-1].at * shape.rush_seconds
            before[-1] = replace(before[-1], at=max(before[-1].at, in_rush))
        after = [replace(step, at=crash_at + step.at * (seconds - crash_at)) for step in draft.after]
        scripts.append(Script(number, (*before, *after)))
    return Plan(tuple(scripts), crash_at, seconds)


def _draft(rng: Random, catalogue: Sequence[Product], shape: Shape) -> _Draft:
    """Three to six adds, split over the crash, with a look into the cart now and then."""
    has_keys = rng.random() >= shape.keyless
    adds = rng.choices((3, 4, 5, 6), weights=(4, 3, 2, 1))[0]
    early = rng.randint(1, adds - 1)
    before = [_add(rng, catalogue, has_keys=has_keys) for _ in range(early)]
    if rng.random() < 1 / 3:
        before.insert(rng.randint(1, early), Step(0, Kind.READ))
    after = [_add(rng, catalogue, has_keys=has_keys) for _ in range(adds - early)]
    after.insert(0, Step(0, Kind.READ))
    if rng.random() < 1 / 3:
        after.append(Step(0, Kind.READ))
    # Who has only one add before the crash must get it done: the rush could swallow it.
    in_rush = rng.random() < shape.rush and early > 1
    return _Draft(_at_random_times(rng, before), _at_random_times(rng, after), in_rush)


def _add(rng: Random, catalogue: Sequence[Product], *, has_keys: bool) -> Step:
    product = rng.choice(catalogue)
    quantity = rng.choices((1, 2, 3), weights=(8, 1, 1))[0]
    # Thrown even when unused: two plans that differ in ``keyless`` alone buy the same things.
    key = str(UUID(int=rng.getrandbits(128), version=4))
    return Step(0, Kind.ADD, product, quantity, key if has_keys else None)


def _at_random_times(rng: Random, steps: list[Step]) -> tuple[Step, ...]:
    times = sorted(rng.random() for _ in steps)
    return tuple(replace(step, at=at) for step, at in zip(steps, times, strict=True))
