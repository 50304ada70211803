"""What every scenario declaration must have before anyone runs it. Pure; `cartlab check` prints it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.arms import read_arms
from lab.claims import CLAIMS
from lab.errors import UsageProblem
from lab.faults import FAULTS
from lab.promises import NAMES
from lab.verdict import EXPECTATIONS
from lab.workload.shapes import SHAPES, THRONG

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
    yield from _plot_defects(scenario)
    if not scenario.claims:
        yield "it puts a figure beside no claim"
    for claim in scenario.claims:
        if claim not in CLAIMS:
            yield f"its claim {claim!r} does not exist; known: {', '.join(CLAIMS)}"
    yield from _expectation_defects(scenario)


def _plot_defects(scenario: Scenario) -> Iterable[str]:
    for injection in scenario.faults:
        if injection.fault not in FAULTS:
            yield f"its fault {injection.fault!r} does not exist; known: {', '.join(FAULTS)}"
    if scenario.workload not in (*SHAPES, THRONG):
        yield f"its workload {scenario.workload!r} does not exist; known: {', '.join((*SHAPES, THRONG))}"
    if sum(prediction.is_right for prediction in scenario.predictions) != 1:
        yield "of its predictions not exactly one is right"


def _expectation_defects(scenario: Scenario) -> Iterable[str]:
    for name in scenario.tests:
        if name not in NAMES:
            yield f"it tests an unknown promise {name!r}; known: {', '.join(NAMES)}"
    for expected in (scenario.expects, scenario.otherwise):
        if expected and expected not in EXPECTATIONS:
            yield f"it expects {expected!r}; known: {', '.join(EXPECTATIONS)}"
    try:
        read_arms(",".join(scenario.arms))
    except UsageProblem as problem:
        yield f"its arms make no sense: {problem}"
