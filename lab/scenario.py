"""A scenario is a value: a question, a workload, a fault, an expectation for each arm, a lesson."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.topology import Arm

#: What an arm can be expected to do with the carts: keep all, lose those of the servers that failed,
#: or lose some although nothing failed, for nothing leads shoppers back to them.
EXPECTATIONS = ("kept", "lost", "scattered")
#: Stands for every strategy that an expectation does not name.
OTHERS = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """``expect`` maps a strategy to one of ``EXPECTATIONS``, ``*`` being all others.

    ``arms`` run when nobody names any, as specs; ``fault`` is None for a calm run.

    ``what_breaks``, ``what_you_see`` and ``what_you_learn`` fill the README's table.
    ``claims`` are ids of the claims ledger that this scenario puts a figure beside.
    """

    name: str
    title: str
    question: str
    fault: str | None
    expect: Mapping[str, str]
    claims: tuple[str, ...]
    what_breaks: str
    what_you_see: str
    what_you_learn: str
    lesson: str
    hint: str
    arms: tuple[str, ...] = ("sticky", "stateless")

    def expected_of(self, arm: Arm) -> str:
        """What should become of the carts of ``arm``: its name does not matter, only what it is."""
        if arm.scatters:
            return "scattered"
        return self.expect.get(arm.strategy, self.expect[OTHERS])
