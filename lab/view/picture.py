"""A still picture of the screen out of a run's events: the README's picture cannot lie.

``python -m lab.view.picture RUN_FOLDER`` writes the SVG of the run in that folder, mid-failure, to stdout.
"""

from __future__ import annotations

import io
import re
import sys
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from lab.report.recording import events_of
from lab.timeline import FaultBegan, FaultHealed
from lab.view.layout import Size, compose
from lab.view.state import State, update

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.timeline import Event

SIZE = Size(100, 30)
#: How far between crash and healing the picture is taken.
MID_FAILURE = 0.8
TITLE = "./run-side-by-side"


def svg(state: State, size: Size = SIZE) -> str:
    """``state`` as the terminal shows it, with a text for those who cannot see it."""
    console = Console(
        file=io.StringIO(),
        record=True,
        width=size.width,
        height=size.height,
        force_terminal=True,
        color_system="truecolor",
        no_color=False,
        legacy_windows=False,
    )
    console.print(compose(state, size))
    drawing = _without_fonts(console.export_svg(title=TITLE, unique_id="cartlab"))
    return drawing.replace("<svg ", f'<svg role="img" aria-label="{escape(described(state))}" ', 1)


def described(state: State) -> str:
    """The picture in words."""
    words = [f"{state.acts[-1].sentence}" if state.acts else "The sites are starting."]
    for arm in state.arms:
        traffic = state.flow(arm.name).traffic
        down = [server.name for server in arm.servers if server.state == "down"]
        carts = f"{traffic.kept} carts filled, {traffic.lost} emptied"
        words.append(f"{arm.name}: {', '.join(down) or 'no server'} down, {carts}.")
    return " ".join(words)


def mid_failure(events: Sequence[Event]) -> float:
    """A moment when the first fault is well under way."""
    began = next((event.at for event in events if isinstance(event, FaultBegan)), None)
    if began is None:
        raise SystemExit("This run broke nothing: there is no failure to draw. Give a crash run's folder.")
    healed = next((event.at for event in events if isinstance(event, FaultHealed)), events[-1].at)
    return began + MID_FAILURE * (healed - began)


def state_of(events: Sequence[Event], at: float) -> State:
    state = State()
    for event in events:
        if event.at <= at:
            state = update(state, event)
    return replace(state, now=at)


def _without_fonts(drawing: str) -> str:
    """A picture inside a page may load nothing, so no font from the network stands in it."""
    plain = re.sub(r"@font-face \{.*?\}\s*", "", drawing, flags=re.DOTALL)
    return plain.replace("Fira Code", "ui-monospace, SFMono-Regular, Menlo, Consolas, DejaVu Sans Mono")


def main(arguments: Sequence[str]) -> None:
    if len(arguments) != 1:
        raise SystemExit("usage: python -m lab.view.picture RUN_FOLDER")
    events = events_of(Path(arguments[0]))
    sys.stdout.write(svg(state_of(events, mid_failure(events))))


if __name__ == "__main__":
    main(sys.argv[1:])
