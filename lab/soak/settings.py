"""What a soak is told, and the line that tells another one the same."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lab.errors import UsageProblem, unknown
from lab.faults import FAULTS
from lab.faults.fault import Hits
from lab.ledger import BALANCER, STORE
from lab.promises import NAMES
from lab.soak.blows import BRISK, PATIENT, STEADY, Lane, Pace
from lab.soak.breach import EMPTYING
from lab.topology import Platform

if TYPE_CHECKING:
    from pathlib import Path

    from lab.cluster.ports import Side
    from lab.promises import Promises
    from lab.topology import Arm

#: The strategy whose carts have copies, which take time to be there again.
COPYING = "replicated"
#: Seconds of one window, at most.
WINDOW = 12.0
#: One window in so many has faults after which a store has less than it acknowledged.
_LOSSY = 4
#: Seconds that a server takes to be up again.
_COMES_BACK = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class SoakSettings:
    """It ends after ``minutes``, or after ``trials`` faults where that is not None.

    ``shoppers`` are those of one window; ``hold_to`` are promises that the arm is judged by though its
    servers do not make them.
    """

    arm: Arm
    faults: tuple[str, ...]
    seed: int
    minutes: float
    trials: int | None
    shoppers: int
    hold_to: tuple[str, ...]
    runs: Path
    command: str = "cartlab"

    @property
    def window(self) -> float:
        if self.trials is None:
            return min(WINDOW, self.minutes * 60)
        each = self.pace.hold[1] + self.pace.rest[1] + _COMES_BACK
        return min(WINDOW, self.trials * each)

    @property
    def pace(self) -> Pace:
        if self.arm.strategy == COPYING:
            return PATIENT
        return BRISK if self.trials else STEADY

    def lanes(self, window: int) -> tuple[Lane, Lane]:
        """Those on the store in one; in the other a server or the balancer, for each hides the other."""
        on_store = {name: (STORE,) for name in self.faults if FAULTS[name].hits.on_store}
        if (window + 1) % _LOSSY:
            # They excuse so much that little else could be seen beside them.
            on_store = {name: on for name, on in on_store.items() if name not in EMPTYING} or on_store
        others = {name: self._targets(name) for name in self.faults if not FAULTS[name].hits.on_store}
        return tuple(others.items()), tuple(on_store.items())

    def _targets(self, fault: str) -> tuple[str, ...]:
        return (BALANCER,) if FAULTS[fault].hits is Hits.BALANCER else self.arm.server_names

    @property
    def links(self) -> frozenset[Side]:
        """Where the fault proxy has to stand."""
        return frozenset(side for name in self.faults for side in FAULTS[name].links)

    def judged_by(self, promises: Promises) -> Promises:
        return replace(promises, **dict.fromkeys(self.hold_to, True))

    @property
    def replay(self) -> str:
        """The line that does the same again: same seed, same faults, same operations."""
        words = ["soak", "--arm", self.arm.name, "--servers", str(self.arm.servers)]
        words += ["--seed", str(self.seed), "--shoppers", str(self.shoppers)]
        words += ["--trials", str(self.trials)] if self.trials else ["--minutes", f"{self.minutes:g}"]
        words += ["--faults", ",".join(self.faults) or "none"]
        words += [] if self.arm.patience is None else ["--patience", f"{self.arm.patience:g}"]
        words += [] if self.arm.store_log else ["--no-store-log"]
        words += ["--hold-to", ",".join(self.hold_to)] if self.hold_to else []
        return f"{self.command} {shlex.join(words)}"


def read_faults(text: str | None, arm: Arm) -> tuple[str, ...]:
    """All that can be done to ``arm`` on this machine, or those that ``text`` names."""
    if text == "none":
        return ()
    able = tuple(name for name in FAULTS if _refusal(name, arm) is None)
    asked = tuple(dict.fromkeys(name.strip() for name in (text or ",".join(able)).split(",") if name.strip()))
    for name in asked:
        if name not in FAULTS:
            raise unknown("fault", name, ("none", *FAULTS))
        if refusal := _refusal(name, arm):
            raise UsageProblem(refusal)
    return asked


def read_promises(text: str | None) -> tuple[str, ...]:
    asked = tuple(dict.fromkeys(name.strip() for name in (text or "").split(",") if name.strip()))
    for name in asked:
        if name not in NAMES:
            raise unknown("promise", name, NAMES)
    return asked


def _refusal(name: str, arm: Arm) -> str | None:
    if FAULTS[name].hits.on_store and not arm.needs_store:
        return f"--faults {name} was given; the {arm.name} arm has no store that could be broken."
    return FAULTS[name].refusal(Platform.PROCESSES, [arm])
