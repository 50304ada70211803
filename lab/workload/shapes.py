"""What shoppers do in a scenario, by name: each is a way to make a plan. Pure.

* ``shopping``: a crowd shops before and after the crash (``lab.workload.plan``).
* ``tabs``: every shopper has twenty tabs open on one cart, and adds the same thing in all of them.
* ``throng``: very many shoppers, in processes of their own (``lab.workload.throng``); needs no plan.
* ``retrying``: a crowd shops, and whoever gets no answer asks again: half of them with the key of the
  first try, half without any, as the classic demo's client.
* ``changing``: a crowd shops, and after the crash everybody takes out again what they had put in first.
* ``idling``: every second shopper goes away and leaves a full cart; the others keep coming.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID

from lab.history import Kind
from lab.workload.plan import Plan, Script, Step, make_plan

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from random import Random

    from lab.workload.catalogue import Product
    from lab.workload.plan import Shape

TABS = 20
ADDS_A_TAB = 25
#: Seconds in which all tabs add: as quick as a store can be asked, so that they surely overlap.
RUSH = 0.5
#: An idle cart is left alone for the rest of so many lives, counted from the first request.
LIVES = 3
#: Requests of a busy shopper in one life of a session.
VISITS_A_LIFE = 3
#: Clicks after the first one, while no answer comes.
TRIES_MORE = 2


def tabs(rng: Random, catalogue: Sequence[Product], shoppers: int, shape: Shape) -> Plan:
    """Everybody opens a cart; then all its tabs add at once."""
    opened, seconds = 1.0, 1.0 + RUSH
    scripts = []
    for shopper in range(shoppers):
        product = rng.choice(catalogue)
        first = Step(rng.random() * opened / 2, Kind.ADD, product, 1, _key(rng))
        scripts.append(Script(shopper, (first,)))
        for tab in range(TABS):
            # One add made the cart: all tabs together come to a round number.
            adds = ADDS_A_TAB - (tab == 0)
            times = sorted(opened + rng.random() * RUSH for _ in range(adds))
            steps = tuple(Step(at, Kind.ADD, product, 1, _key(rng)) for at in times)
            scripts.append(Script(shopper, steps, tab=tab + 1))
    return Plan(tuple(scripts), crash_at=opened, seconds=max(seconds, shape.seconds))


def idling(rng: Random, catalogue: Sequence[Product], shoppers: int, shape: Shape) -> Plan:
    """``shape.seconds`` are ``LIVES`` lives of a session."""
    life = shape.seconds / LIVES
    scripts = []
    for shopper in range(shoppers):
        first = rng.random() * life / VISITS_A_LIFE
        visits = 1 if shopper % 2 == 0 else LIVES * VISITS_A_LIFE
        steps = [Step(first, Kind.ADD, rng.choice(catalogue), 1, _key(rng))]
        steps += [Step(first + n * life / VISITS_A_LIFE, Kind.READ) for n in range(1, visits)]
        scripts.append(Script(shopper, tuple(steps)))
    return Plan(tuple(scripts), crash_at=life, seconds=shape.seconds)


def retrying(rng: Random, catalogue: Sequence[Product], shoppers: int, shape: Shape) -> Plan:
    """Everybody's adds; every second shopper's have no key."""
    plan = make_plan(rng, catalogue, shoppers, replace(shape, keyless=0.0))

    def insisting(script: Script) -> Script:
        has_keys = script.shopper % 2 == 0
        return replace(
            script,
            steps=tuple(
                replace(step, again=TRIES_MORE, key=step.key if has_keys else None)
                if step.kind is Kind.ADD
                else step
                for step in script.steps
            ),
        )

    return replace(plan, scripts=tuple(map(insisting, plan.scripts)))


def changing(rng: Random, catalogue: Sequence[Product], shoppers: int, shape: Shape) -> Plan:
    """Right after the look with which all come back, their first item goes, and is not bought again."""
    plan = make_plan(rng, catalogue, shoppers, shape)

    def unsure(script: Script) -> Script:
        first = script.steps[0].product
        back = next(number for number, step in enumerate(script.steps) if step.at >= plan.crash_at)
        away = replace(script.steps[back], kind=Kind.REMOVE, product=first, key=_key(rng))
        later = [step for step in script.steps[back + 1 :] if step.product != first]
        return replace(script, steps=(*script.steps[: back + 1], away, *later))

    return replace(plan, scripts=tuple(map(unsure, plan.scripts)))


def _key(rng: Random) -> str:
    return str(UUID(int=rng.getrandbits(128), version=4))


#: The workload that is too large for a plan.
THRONG = "throng"

SHAPES: Mapping[str, Callable[[Random, Sequence[Product], int, Shape], Plan]] = {
    "shopping": make_plan,
    "tabs": tabs,
    "idling": idling,
    "retrying": retrying,
    "changing": changing,
}
