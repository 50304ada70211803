"""Below the arms: the act, what happens in it, where to look, and which keys do what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.panel import Panel
from rich.text import Text

from lab.view.glyphs import ALARM, BAD, BUSY, GOOD, QUIET, STRONG, clean

if TYPE_CHECKING:
    from rich.console import RenderableType

    from lab.timeline import Judged, RunEnded
    from lab.view.glyphs import Glyphs
    from lab.view.state import State

#: With its frame.
HEIGHT = 7
#: Shape and style of a verdict; the word says the same without either.
VERDICTS = {"held": ("done", GOOD), "broken": ("down", BAD), "cannot tell": ("other", BUSY)}


def panel(state: State) -> RenderableType:
    """The keys stand in the frame: sentences may wrap as they like and never push them out."""
    is_judged = any(arm.judged for arm in state.arms)
    lines = _verdict(state) if is_judged else [_path(state), *_story(state)]
    return Panel(
        Group(*lines), height=HEIGHT, subtitle=_keys(state), subtitle_align="left", border_style=QUIET
    )


def _path(state: State) -> Text:
    """All acts in a row: done, now, to come."""
    begun = [act.act for act in state.acts]
    line = Text(no_wrap=True, overflow="ellipsis")
    names = (*begun, *(act for act in (state.run.acts if state.run else ()) if act not in begun))
    for name in names:
        if not state.ended and begun and name == begun[-1]:
            line.append(f"{state.glyphs.now} {name.upper()}", STRONG + " reverse").append("   ")
        elif name in begun:
            line.append(f"{state.glyphs.done} {name}   ")
        else:
            line.append(f"{name}   ", QUIET)
    return line


def _story(state: State) -> list[Text]:
    """What happens and where to look; a word that concerns the whole run goes before both."""
    act = state.acts[-1] if state.acts else None
    lines = [Text(state.notice, BAD)] if state.notice else []
    lines.append(Text(clean(act.sentence) if act else "The sites are starting.", STRONG))
    if act and act.look_at:
        lines.append(Text.assemble(("Look at  ", QUIET), clean(act.look_at)))
    return lines


def _verdict(state: State) -> list[Text]:
    lines = [sentence(arm.judged, state.glyphs) for arm in state.arms if arm.judged]
    return [*lines, take_home(state.ended)] if state.ended else lines


def take_home(ended: RunEnded) -> Text:
    return Text.assemble(("Take home: ", QUIET), (clean(ended.take_away), STRONG))


def verdict(judged: Judged, glyphs: Glyphs) -> Text:
    """Shape, word and what was expected: losing carts can be just what an arm had to show."""
    shape, style = VERDICTS.get(judged.verdict, VERDICTS["cannot tell"])
    word = "as expected" if judged.verdict == "held" else judged.verdict
    line = Text(f"{glyphs.shape(shape)} {word.upper()}", style)
    if judged.expected and judged.verdict != "held":
        line.append(f" (expected: {clean(judged.expected)})")
    return line


def sentence(judged: Judged, glyphs: Glyphs) -> Text:
    shape, style = VERDICTS.get(judged.verdict, VERDICTS["cannot tell"])
    return Text.assemble((f"{glyphs.shape(shape)} ", style), clean(judged.sentence))


def _keys(state: State) -> Text:
    if state.prompt:
        return Text.assemble((f" {clean(state.prompt)} ", f"{ALARM} not dim"), "  Ctrl-C: heal and stop")
    return Text(clean(state.ended.folder) if state.ended else "Ctrl-C: heal and stop")


if __name__ == "__main__":
    from rich.console import Console

    from lab.view.sample import state_at

    for moment in (9.0, 20.0):
        Console(width=96).print(panel(state_at(moment)))
