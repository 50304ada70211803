"""Everything the lab can refuse or fail at, each with the exit code it ends a command with.

    LabError                 70  the lab itself crashed
    ├── UsageProblem          2  the request makes no sense
    ├── EnvironmentProblem    4  this machine lacks something the run needs
    ├── Aborted               5  the lab refused or stopped the run to keep it honest
    └── HealingFailed         6  a fault could not be undone

A message has up to four parts: what was tried, what was expected, what came, what to do next.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, ClassVar

from lab.verdict import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterable


class LabError(Exception):
    exit_code: ClassVar[ExitCode] = ExitCode.LAB_CRASHED


class UsageProblem(LabError):
    exit_code = ExitCode.USAGE


class EnvironmentProblem(LabError):
    exit_code = ExitCode.ENVIRONMENT


class Aborted(LabError):
    exit_code = ExitCode.ABORTED


class HealingFailed(LabError):
    exit_code = ExitCode.HEALING_FAILED


def unknown(kind: str, given: str, known: Iterable[str]) -> UsageProblem:
    """A refusal that names the nearest thing that does exist."""
    names = list(known)
    nearest = get_close_matches(given, names, n=1, cutoff=0.5)
    hint = f" Did you mean {nearest[0]!r}?" if nearest else ""
    return UsageProblem(f"There is no {kind} {given!r}.{hint} Known: {', '.join(names) or 'none'}.")
