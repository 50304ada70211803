"""What one run is told, checked before anything starts."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.errors import UsageProblem, unknown
from lab.scenario import EXPECTATIONS
from lab.topology import OURS, Platform

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from lab.scenario import Scenario
    from lab.targets import Target
    from lab.topology import Arm

DEFAULT_SHOPPERS = 300
#: Two arms keep two cores busy; more at once would measure the machine.
AT_ONCE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """All that decides what a run does; the screen's settings are not among them.

    ``fault`` is None for a scenario that breaks nothing. ``keyless`` is the percentage of shoppers
    who, like the classic demo's client, send no ``Idempotency-Key``. ``expect`` maps each arm to
    what it should do with the carts; ``at_once`` of them run together. ``command`` is how this user
    calls the lab, fit for a shell. ``platform`` is where the programs live.
    """

    scenario: Scenario
    arms: tuple[Arm, ...]
    shoppers: int
    seed: int
    target: Target
    fault: str | None
    keyless: int
    fast: bool
    expect: Mapping[str, str]
    runs: Path
    redis_url: str | None
    command: str = "cartlab"
    platform: Platform = Platform.PROCESSES
    at_once: int = AT_ONCE

    @property
    def rounds(self) -> tuple[tuple[Arm, ...], ...]:
        """The arms that run at the same time, one round after the other."""
        return tuple(
            self.arms[first : first + self.at_once] for first in range(0, len(self.arms), self.at_once)
        )

    @property
    def repeat_command(self) -> str:
        """The exact command that does the same again. A store's URL is left out: it may hold a password."""
        words = ["run", self.scenario.name, "--arms", ",".join(arm.name for arm in self.arms)]
        words += [] if self.platform is Platform.PROCESSES else [self.platform.flag]
        words += [] if self.arms[0].lb == OURS else ["--lb", self.arms[0].lb]
        words += ["--servers", str(self.arms[0].servers), "--shoppers", str(self.shoppers)]
        words += ["--seed", str(self.seed)]
        words += [] if self.at_once == AT_ONCE else ["--at-once", str(self.at_once)]
        if self.fault is not None:
            words += ["--crash", self.target.text, "--fault", self.fault]
        if self.keyless:
            words += ["--keyless", f"{self.keyless}%"]
        words += ["--fast"] if self.fast else []
        words += ["--expect", ",".join(f"{arm}={what}" for arm, what in self.expect.items())]
        return f"{self.command} {shlex.join(words)}"


def read_expectations(text: str | None, scenario: Scenario, arms: tuple[Arm, ...]) -> dict[str, str]:
    """``sticky=lost,stateless=kept`` over the scenario's own expectations, for the arms that run."""
    names = [arm.name for arm in arms]
    expected = {arm.name: scenario.expected_of(arm) for arm in arms}
    for pair in (text or "").split(","):
        if not pair.strip():
            continue
        arm, equals, what = (part.strip() for part in pair.partition("="))
        if not equals:
            raise UsageProblem(f"--expect {text!r} was given; ARM=WHAT was expected, as in sticky=lost.")
        if arm not in names:
            raise unknown("arm in this run named", arm, names)
        if what not in EXPECTATIONS:
            raise unknown("expectation", what, EXPECTATIONS)
        expected[arm] = what
    return expected
