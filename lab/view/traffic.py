"""What the shoppers met so far: requests, answers from another server, errors, unknown ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from lab.view.glyphs import ALARM, STRONG

if TYPE_CHECKING:
    from rich.console import RenderableType

    from lab.view.arm import ArmState
    from lab.view.state import State

HEIGHT = 1


def panel(state: State, arm: ArmState) -> RenderableType:
    """*elsewhere* is news, not trouble: another server answered. An error is what a shopper saw."""
    traffic = state.flow(arm.name).traffic
    line = Text(no_wrap=True, overflow="ellipsis")
    errors = traffic.failed + traffic.unknown
    words = f"{errors:,} error{'' if errors == 1 else 's'}"
    line.append(f" {words} " if errors else words, ALARM if errors else STRONG)
    if traffic.unknown:
        line.append(f" {traffic.unknown:,} unknown", STRONG)
    line.append("  ").append(f"{traffic.elsewhere:,}", STRONG).append(" redirected")
    line.append("  ").append(f"{traffic.requests:,}", STRONG).append(" requests")
    return line


if __name__ == "__main__":
    from rich.console import Console

    from lab.view.sample import state_at

    sample = state_at(9.0)
    Console(width=46).print(panel(sample, sample.arms[0]))
