"""What every scenario declaration must have before anyone runs it. Pure; `cartlab check` prints it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.arms import read_arms
from lab.claims import CLAIMS
from lab.errors import UsageProblem
from lab.faults import FAULTS
from lab.scenario import EXPECTATIONS, OTHERS
from lab.strategies import STRATEGIES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lab.scenario import Scenario

_TEXTS = ("title", "question", "what_breaks", "what_you_see", "what_you_learn", "lesson", "hint")


def defects(scenarios: Mapping[str, Scenario]) -> list[str]:
    """Every defect as one sentence; none when all declarations are sound."""
    found = list(_duplicates(scenarios.values()))
    for listed_as, scenario in scenarios.items():
        found += [f"{listed_as}: {defect}" for defect in _defects_of(listed_as, scenario)]
    return found


def _duplicates(scenarios: Iterable[Scenario]) -> Iterable[str]:
    seen: set[str] = set()
    for scenario in scenarios:
        if scenario.name in seen:
            yield f"{scenario.name}: the name is used twice; names must be unique"
        seen.add(scenario.name)


def _defects_of(listed_as: str, scenario: Scenario) -> Iterable[str]:
    if listed_as != scenario.name:
        yield f"it is listed under this name but calls itself {scenario.name!r}"
    for text in _TEXTS:
        if not getattr(scenario, text).strip():
            yield f"its {text} is empty; a learner reads it"
    if scenario.fault is not None and scenario.fault not in FAULTS:
        yield f"its fault {scenario.fault!r} does not exist; known: {', '.join(FAULTS)}"
    if not scenario.claims:
        yield "it puts a figure beside no claim"
    for claim in scenario.claims:
        if claim not in CLAIMS:
            yield f"its claim {claim!r} does not exist; known: {', '.join(CLAIMS)}"
    yield from _expectation_defects(scenario)


def _expectation_defects(scenario: Scenario) -> Iterable[str]:
    if OTHERS not in scenario.expect:
        yield f"it expects nothing of {OTHERS!r}, the other strategies; such a run could not fail"
    for strategy, expectation in scenario.expect.items():
        if strategy not in (*STRATEGIES, OTHERS):
            yield f"it expects something of an unknown strategy {strategy!r}"
        if expectation not in EXPECTATIONS:
            yield f"it expects {expectation!r} of {strategy}; known: {', '.join(EXPECTATIONS)}"
    try:
        read_arms(",".join(scenario.arms))
    except UsageProblem as problem:
        yield f"its arms make no sense: {problem}"
