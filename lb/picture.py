"""The states of a server and what leads from one to another, drawn from the table itself.

``python -m lb.picture`` prints it as Mermaid, which GitHub shows as a picture; the README's is checked
against it.
"""

from __future__ import annotations

from collections import defaultdict

from lb.pool import BACKUP, TRANSITIONS, State

_END = "[*]"


def states() -> str:
    """One arrow for each two states, with all events that lead along it."""
    arrows: dict[tuple[State, State], list[str]] = defaultdict(list)
    for (before, event), after in TRANSITIONS.items():
        arrows[before, after].append(event.value)
    lines = [f'    state "{State.UP}, or {BACKUP} in reserve" as {_node(State.UP)}']
    lines += [f"    {_END} --> {_node(State.STARTING)}: added"]
    lines += [
        f"    {_node(before)} --> {_node(after)}: {', '.join(events)}"
        for (before, after), events in arrows.items()
    ]
    return "\n".join(["stateDiagram-v2", *lines])


def _node(state: State) -> str:
    return _END if state is State.GONE else state.value.replace("-", "_")


if __name__ == "__main__":
    print(states())  # noqa: T201 - what it is for
