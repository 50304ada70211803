"""A scenario is a value: a question, a workload, a fault, an expectation for each arm, a lesson."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

#: What an arm can be expected to do with the carts.
EXPECTATIONS = ("kept", "lost")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """``expect`` maps every arm's name to ``kept`` or ``lost``; ``fault`` is None for a calm run.

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
