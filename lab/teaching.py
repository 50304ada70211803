"""``docs/scenarios.md``: every scenario as a lesson of ten minutes, drawn from the declarations. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.sayings import said

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lab.scenario import Scenario

_HEAD = """# The scenarios, for who teaches with them

Each is a lesson of ten minutes: ask the question, let everybody commit to an answer, run it, compare the
figures with the answers, and only then read the lesson out. `cartlab run NAME` asks by itself on a terminal.
The wrong answers are misconceptions with a name: that is what there is to talk about. The hint says where to
look, never what to see.

This page is drawn from the declarations in `lab/scenarios/`, and a test keeps it so.
"""


def page(scenarios: Iterable[Scenario]) -> str:
    return "\n".join([_HEAD, *(line for scenario in scenarios for line in _lines(scenario))])


def _lines(scenario: Scenario) -> Iterator[str]:
    yield f"## {scenario.name}: {scenario.title}"
    yield ""
    yield f"    cartlab run {scenario.name}"
    yield ""
    yield f"**Ask:** {scenario.question}"
    yield ""
    yield "| answer | what it takes for what |"
    yield "|---|---|"
    for prediction in scenario.predictions:
        yield f"| {prediction.text} | {prediction.misconception or '**right**'} |"
    yield ""
    yield f"- **What breaks:** {scenario.what_breaks}"
    yield f"- **What you see:** {scenario.what_you_see}"
    yield f"- **Arms:** {', '.join(f'`{arm}`' for arm in scenario.arms)}"
    yield f"- **Hint:** {scenario.hint}"
    yield f"- **Lesson:** {scenario.lesson}"
    yield f"- **Take home:** {scenario.what_you_learn}"
    yield f"- **Puts figures beside:** {'; '.join(f'{name} ({said(name)})' for name in scenario.claims)}"
    yield ""
