"""The whole screen: panels put together, in a size that is known before anything is drawn. Pure.

With little room the curve gets lower and happenings fewer; carts, servers and act always stand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from lab.view import act, axis, balancer, carts, happenings, header, servers, traffic
from lab.view.glyphs import QUIET, STRONG, clean

if TYPE_CHECKING:
    from rich.console import RenderableType

    from lab.view.arm import ArmState
    from lab.view.state import State

#: An arm's column is never narrower than this.
COLUMN = 40
FRAME = 2
FOOT = act.HEIGHT + FRAME
#: Lines of a column that never give way: door, heading of the servers, carts, traffic.
FIXED = balancer.HEIGHT + servers.height(0) + carts.HEIGHT + traffic.HEIGHT
#: Where carts live, in words.
PLACES = {"memory": "carts in server memory", "stateless": "carts in a shared store"}


class Size(NamedTuple):
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Rows:
    """How many lines the parts of a column get that can give way."""

    servers: int
    curve: int
    happenings: int
    gaps: bool


def smallest(arms: int, servers_count: int) -> Size:
    """The smallest terminal that shows so many arms and servers, with one happening each."""
    column = FIXED + min(servers_count, servers.ROWS) + axis.height(1) + 1
    return Size(max(arms, 2) * COLUMN, header.HEIGHT + column + FRAME + FOOT)


def compose(state: State, size: Size) -> RenderableType:
    column = size.height - header.HEIGHT - FOOT
    foot = Panel(act.panel(state), height=FOOT, border_style=QUIET)
    if not state.arms:
        return Group(header.panel(state), Panel(Text(""), height=column, border_style=QUIET), foot)
    arms = Table.grid(expand=True)
    for _ in state.arms:
        arms.add_column(ratio=1)
    arms.add_row(*(_column(state, arm, column) for arm in state.arms))
    return Group(header.panel(state), arms, foot)


def _column(state: State, arm: ArmState, height: int) -> Panel:
    rows = share(height - FRAME, len(arm.servers))
    gap = [Text("")] if rows.gaps else []
    place = PLACES.get(arm.strategy, clean(arm.strategy))
    title = Text.assemble(
        (f" {clean(arm.name).upper()} ", STRONG + " reverse"), f" {place} " if place else ""
    )
    body = Group(
        balancer.panel(state, arm),
        *gap,
        servers.panel(state, arm, rows.servers),
        *gap,
        carts.panel(state, arm),
        *gap,
        traffic.panel(state, arm),
        axis.panel(state, arm, rows.curve),
        *gap,
        happenings.panel(state, arm, rows.happenings),
    )
    return Panel(body, title=title, title_align="left", height=height, border_style=QUIET)


def share(height: int, servers_count: int) -> Rows:
    """``height`` lines shared out: first what must stand, then a higher curve, gaps, more happenings."""
    shown = min(servers_count, servers.ROWS)
    spare = height - FIXED - shown - axis.height(1)
    curve = 2 if spare >= 5 else 1  # noqa: PLR2004 - a second row once four happenings have a line
    spare -= curve - 1
    gaps = spare >= 8  # noqa: PLR2004 - four gaps, four happenings
    return Rows(shown, curve, max(spare - 4 * gaps, 0), gaps)


if __name__ == "__main__":
    from rich.console import Console

    from lab.view.sample import state_at

    console = Console()
    console.print(compose(state_at(9.0), Size(console.width, max(console.height - 1, 29))))
