"""What one run is told, checked before anything starts."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lab.errors import UsageProblem, unknown
from lab.topology import OURS, Platform
from lab.verdict import EXPECTATIONS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from lab.scenario import Injection, Scenario
    from lab.targets import Target
    from lab.topology import Arm

DEFAULT_SHOPPERS = 300
#: Of those who are followed one by one; a throng is bounded by memory alone.
MOST_SHOPPERS = 20_000
#: Two arms keep two cores busy; more at once would measure the machine.
AT_ONCE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """All that decides what a run does; the screen's settings are not among them.

    ``fault`` is None for a scenario that breaks nothing. ``keyless`` is the percentage of shoppers
    who, like the classic demo's client, send no ``Idempotency-Key``. ``expect`` maps an arm to what it
    should do with the carts, where somebody expects something else than its promises do; ``at_once``
    of the arms run together. ``command`` is how this user calls the lab, fit for a shell;
    ``platform`` is where the programs live.
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
    def injections(self) -> tuple[Injection, ...]:
        """The scenario's faults, with the one that was asked for in the place of its first."""
        faults = self.scenario.faults
        if not faults or self.fault is None:
            return faults
        return (replace(faults[0], fault=self.fault), *faults[1:])

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
        words += [] if self.at_once == self.scenario.at_once else ["--at-once", str(self.at_once)]
        if self.fault is not None:
            words += ["--crash", self.target.text, "--fault", self.fault]
        if self.keyless:
            words += ["--keyless", f"{self.keyless}%"]
        words += ["--fast"] if self.fast else []
        if self.expect:
            words += ["--expect", ",".join(f"{arm}={what}" for arm, what in self.expect.items())]
        return f"{self.command} {shlex.join(words)}"


def read_expectations(text: str | None, arms: tuple[Arm, ...]) -> dict[str, str]:
    """``sticky=lost,stateless=kept``: for these arms, in place of what their promises let expect."""
    names = [arm.name for arm in arms]
    expected: dict[str, str] = {}
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
