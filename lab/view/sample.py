"""A small made-up run, the same every time: for looking at a panel alone, and for tests.

The figures are invented but consistent.
"""

from __future__ import annotations

import asyncio
import time
from random import Random
from typing import TYPE_CHECKING

from lab.history import Kind, Operation, Outcome
from lab.timeline import (
    ActBegan,
    ArmReady,
    FaultBegan,
    FaultHealed,
    Judged,
    OperationEnded,
    RunBegan,
    RunEnded,
    Sampled,
    ServerChanged,
    ServerSample,
)
from lab.view.glyphs import UNICODE
from lab.view.state import State, update

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lab.timeline import Event

SHOPPERS = 300
CRASH, DOWN, HEAL, UP, READ_BACK, JUDGE = 7.0, 7.03, 12.0, 12.9, 14.0, 15.6
VICTIM = "server-2"
ACTS = ("steady", "shop", "crash", "shop on", "heal", "read back", "judge")


def events(servers: int = 3, shoppers: int = SHOPPERS) -> list[Event]:
    """A side-by-side crash run from beginning to end, in order of time."""
    names = tuple(f"server-{number}" for number in range(1, servers + 1))
    story: list[Event] = [*_acts(shoppers), *_verdicts(shoppers, servers)]
    for arm, sticky in (("sticky", True), ("stateless", False)):
        story += _site(arm, names, sticky=sticky)
        story += _crash(arm)
        story += _shopping(arm, names, shoppers, sticky=sticky)
        story += _samples(arm, names, shoppers, sticky=sticky)
    return sorted(story, key=lambda event: event.at)


def state_at(seconds: float, servers: int = 3, shoppers: int = SHOPPERS) -> State:
    """What the screen knows ``seconds`` into the sample run."""
    state = State(now=seconds)
    for event in events(servers, shoppers):
        if event.at <= seconds:
            state = update(state, event)
    return state


class Replay:
    """The sample run at the pace of real life."""

    def __init__(self, servers: int = 3, shoppers: int = SHOPPERS) -> None:
        self._began = time.monotonic()
        self.events = events(servers, shoppers)

    def clock(self) -> float:
        return time.monotonic() - self._began

    async def into(self, handle: Callable[[Event], None]) -> None:
        self._began = time.monotonic()
        for event in self.events:
            if (wait := event.at - self.clock()) > 0:
                await asyncio.sleep(wait)
            handle(event)


def _acts(shoppers: int) -> Iterator[Event]:
    question = "One of three servers is killed while people shop. Whose carts are still there afterwards?"
    yield RunBegan(
        0.0, "crash", "A cart server dies mid-traffic", question, 7, shoppers, ("sticky", "stateless"), ACTS
    )
    sentences = {
        "steady": (0.1, "Every server must be ready before anything is broken.", "the state of each server"),
        "shop": (1.5, f"{shoppers} shoppers fill their carts.", "the carts each server holds"),
        "crash": (CRASH, f"{VICTIM} is killed in both arms at the same step.", f"the row of {VICTIM}"),
        "shop on": (
            CRASH + 1.5,
            "Everybody comes back. The balancer sends the dead server's shoppers elsewhere.",
            f"the carts: {UNICODE.lost} marks one that came back empty",
        ),
        "heal": (HEAL, f"{VICTIM} is started again. What was in its memory stays gone.", "carts it holds"),
        "read back": (READ_BACK, "Every cart is read once more, through the balancer.", "the carts"),
        "judge": (JUDGE, "Each cart is compared with what its shopper was promised.", "the verdict"),
    }
    for act, (at, sentence, look_at) in sentences.items():
        yield ActBegan(at, act, sentence, look_at)


def _site(arm: str, names: tuple[str, ...], *, sticky: bool) -> Iterator[Event]:
    yield ArmReady(
        at=0.5,
        arm=arm,
        strategy="memory" if sticky else "stateless",
        sticky="learn" if sticky else "none",
        balance="roundrobin",
        address=f"127.0.0.1:{40123 if sticky else 40207}",
        servers=names,
        store=None if sticky else "Redis 7.0.15",
    )
    for number, name in enumerate(names):
        yield ServerChanged(0.6 + number / 100, arm, name, "up", "ready")


def _crash(arm: str) -> Iterator[Event]:
    yield FaultBegan(CRASH, arm, "kill", VICTIM, "SIGKILL: no goodbye, no clean-up")
    yield ServerChanged(DOWN, arm, VICTIM, "down", "connection refused")
    yield ServerChanged(HEAL + 0.1, arm, VICTIM, "starting", "new process")
    yield ServerChanged(UP, arm, VICTIM, "up", "ready")
    yield FaultHealed(UP, arm, "kill", VICTIM, "started again, with empty memory")


def _shopping(arm: str, names: tuple[str, ...], shoppers: int, *, sticky: bool) -> Iterator[Event]:
    dice = Random(7)  # noqa: S311 - a made-up run
    ready = [name for name in names if name != VICTIM]
    for shopper in range(shoppers):
        home, knows = names[shopper % len(names)], True
        later = [dice.uniform(1.6, 11.8) for _ in range(dice.randint(5, 8))]
        visits = sorted([dice.uniform(1.6, CRASH - 1), *later])
        for number, at in enumerate([*visits, READ_BACK + 1.4 * shopper / shoppers]):
            moved = None
            if sticky and home == VICTIM and at > CRASH:
                moved, home, knows = home, ready[shopper % len(ready)], False
            alive = names if at < CRASH or at > UP else ready
            server = home if sticky else alive[(shopper + number) % len(alive)]
            redone = not sticky and CRASH < at < CRASH + 0.05
            yield OperationEnded(
                at,
                arm,
                Operation(
                    arm=arm,
                    shopper=shopper,
                    kind=Kind.FINAL_READ if at >= READ_BACK else Kind.READ if number % 3 == 2 else Kind.ADD,  # noqa: PLR2004
                    intended=at,
                    invoked=at,
                    completed=at + 0.004,
                    outcome=Outcome.OK,
                    server=server,
                    origin=("local" if knows else "new") if sticky else "store",
                    tries=2 if moved or redone else 1,
                    moved_from=moved,
                ),
            )
            knows = True


def _samples(arm: str, names: tuple[str, ...], shoppers: int, *, sticky: bool) -> Iterator[Event]:
    dice = Random(3)  # noqa: S311 - a made-up run
    for tick in range(2, 32):
        at = tick / 2
        filled = min(max(at - 1.5, 0) / 2, 1) * shoppers
        yield Sampled(
            at, arm, tuple(_sample(dice, name, at, filled / len(names), sticky=sticky) for name in names), 6.0
        )


def _sample(dice: Random, name: str, at: float, share: float, *, sticky: bool) -> ServerSample:
    if name == VICTIM and CRASH <= at < UP:
        return ServerSample(name, None, None, None)
    if name == VICTIM and at >= UP:
        share = 0
    elif at >= CRASH:
        share *= 1.5
    busy = dice.uniform(9, 14) if share and at < JUDGE else 1.0
    return ServerSample(name, int(share) if sticky else None, busy, 48_000_000)


def _verdicts(shoppers: int, servers: int) -> Iterator[Event]:
    lost = len(range(1, shoppers, servers))
    counts = {"kept": shoppers - lost, "lost": lost, "unavailable": 0}
    sentence = f"sticky: {lost} of {shoppers} carts lost with {VICTIM}; 0 of the other {shoppers - lost}"
    yield Judged(JUDGE + 0.1, "sticky", "held", sentence, counts, "lost")
    counts = {"kept": shoppers, "lost": 0, "unavailable": 0}
    service = "14 requests answered by another server, 0 errors seen by shoppers"
    sentence = f"stateless: {shoppers} of {shoppers} kept, {service}"
    yield Judged(JUDGE + 0.1, "stateless", "held", sentence, counts, "kept")
    rule = "a session in a process's memory lives exactly as long as the process"
    yield RunEnded(JUDGE + 0.2, "held", 0, rule, "runs/latest")
