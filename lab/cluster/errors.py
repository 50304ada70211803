"""What can go wrong with programs that the lab starts. All of it is the machine's doing: exit 4.

EnvironmentProblem
├── CannotStart    a program ended, or said nothing, before it was ready
├── ChildLost      a program that nobody broke on purpose is gone
├── NotReady       everything runs, but the balancer does not call every server up
├── NoStore        no Redis or Valkey to be found, or none that answers
└── PortTaken      somebody else listens where we were told to
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from lab.errors import EnvironmentProblem

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class CannotStart(EnvironmentProblem):
    def __init__(self, name: str, why: str, log: Path, last_lines: Sequence[str]) -> None:
        self.name = name
        self.log = log
        super().__init__(f"{name} could not start: {why}\n{_tail(log, last_lines)}")


class ChildLost(EnvironmentProblem):
    def __init__(self, name: str, how: str, log: Path, last_lines: Sequence[str]) -> None:
        self.name = name
        self.log = log
        super().__init__(
            f"{name} is gone: {how}, and nobody broke it on purpose: nothing measured after this would mean "
            f"anything, so the run ends.\n{_tail(log, last_lines)}"
        )


class NotReady(EnvironmentProblem):
    pass


class NoStore(EnvironmentProblem):
    pass


class PortTaken(EnvironmentProblem):
    def __init__(self, host: str, port: int, owner: str | None, flag: str) -> None:
        self.port = port
        self.owner = owner
        super().__init__(
            f"Port {port} on {host} is taken by {owner or 'a process this user may not see'}. "
            f"End it, or choose another port with {flag}."
        )


def ended_with(exit_code: int) -> str:
    """In words: a negative code is the signal that killed it."""
    if exit_code >= 0:
        return f"it ended with exit code {exit_code}"
    return f"it was killed by {signal.Signals(-exit_code).name}"


def _tail(log: Path, last_lines: Sequence[str]) -> str:
    if not last_lines:
        return f"It wrote nothing to its log, {log}."
    shown = "\n".join(f"    {line}" for line in last_lines)
    return f"The last lines of its log, {log}:\n{shown}"
