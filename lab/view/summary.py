"""What stays on the normal screen when the run is over: the verdict as a small table, and the rule."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from lab.view import costs
from lab.view.act import sentence, take_home, verdict
from lab.view.glyphs import BAD, GOOD, QUIET, STRONG, clean

if TYPE_CHECKING:
    from rich.console import RenderableType

    from lab.view.arm import ArmState
    from lab.view.state import State

_COLUMNS = ("expected", "kept", "lost", "unavailable", "other", "errors", "redirected", "verdict")
_WORDS = ("expected", "verdict")
_NAMED = ("kept", "lost", "unavailable")


def panel(state: State) -> RenderableType:
    """Also for a run that ended early: then it says how far it came."""
    if state.run is None:
        return Text("The run ended before it began.", QUIET)
    head = Text.assemble(
        (clean(state.run.title), STRONG),
        (f"   {state.run.shoppers:,} shoppers, seed {state.run.seed}", QUIET),
    )
    if not any(arm.judged for arm in _all(state)):
        reached = state.acts[-1].act if state.acts else "start"
        return Group(head, Text(f"No verdict: the run ended in the act '{clean(reached)}'.", BAD))
    lines = [sentence(arm.judged, state.glyphs) for arm in _all(state) if arm.judged]
    spent = [
        Text.assemble((f"{clean(arm.name)}: ", QUIET), costs.words(arm.costed))
        for arm in _all(state)
        if arm.costed
    ]
    return Group(head, _table(state), *lines, *spent, *_end(state))


def _all(state: State) -> tuple[ArmState, ...]:
    return (*state.past, *state.arms)


def _table(state: State) -> Table:
    table = Table(box=None, pad_edge=False, header_style=QUIET)
    table.add_column("arm", style=STRONG, no_wrap=True)
    for name in _COLUMNS:
        table.add_column(name, justify="left" if name in _WORDS else "right", no_wrap=name in _WORDS)
    for arm in _all(state):
        if arm.judged:
            table.add_row(Text(clean(arm.name)), *_cells(arm, state))
    return table


def _cells(arm: ArmState, state: State) -> list[Text]:
    if arm.judged is None:
        return []
    judged, traffic = arm.judged, state.flow(arm.name).traffic
    counts = [judged.counts.get(name, 0) for name in _NAMED]
    counts += [sum(judged.counts.values()) - sum(counts), traffic.failed + traffic.unknown, traffic.elsewhere]
    return [
        Text(judged.expected or state.glyphs.dash),
        *(
            Text(f"{count:,}", GOOD if index == 0 else BAD if index == 1 and count else "")
            for index, count in enumerate(counts)
        ),
        verdict(replace(judged, expected=""), state.glyphs),  # which stands in a column of its own
    ]


def _end(state: State) -> list[Text]:
    if state.ended is None:
        return []
    answer = (Text(clean(line), STRONG) for line in state.ended.answer)
    return [*answer, take_home(state.ended), Text(clean(state.ended.folder), QUIET)]


if __name__ == "__main__":
    from rich.console import Console

    from lab.view.sample import state_at

    Console(width=100).print(panel(state_at(20.0)))
