"""The door of an arm: its balancer, what ties a shopper to a server, and where carts are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from lab.view.glyphs import QUIET, STRONG, clean

if TYPE_CHECKING:
    from rich.console import RenderableType

    from lab.view.arm import ArmState
    from lab.view.state import State

#: Lines this panel takes.
HEIGHT = 3


def panel(state: State, arm: ArmState) -> RenderableType:
    glyphs = state.glyphs
    cpu = "" if arm.balancer_cpu is None else f"  CPU {arm.balancer_cpu:.0f} %"
    tie = "ties nobody" if arm.sticky == "none" else "ties shopper to server"
    store = clean(arm.store) if arm.store else f"{glyphs.dash}  carts die with their server"
    return Group(
        _line("balancer", clean(arm.address) or "starting", f"{cpu}  {clean(arm.balance)}"),
        _line("sticky", arm.sticky or glyphs.dash, f"  {tie}" if arm.sticky else ""),
        _line("store", store if arm.address else glyphs.dash, ""),
    )


def _line(label: str, value: str, aside: str) -> Text:
    return Text.assemble((f"{label:<9}", QUIET), (value, STRONG), aside, no_wrap=True, overflow="ellipsis")


if __name__ == "__main__":
    from rich.console import Console

    from lab.view.sample import state_at

    sample = state_at(9.0)
    Console(width=46).print(panel(sample, sample.arms[0]))
