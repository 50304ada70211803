"""The whole screen: panels put together, in a size that is known before anything is drawn. Pure.

With little room the curve gets lower and happenings fewer; carts, servers and act always stand.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from lab.strategies import STRATEGIES
from lab.view import act, axis, balancer, carts, happenings, header, servers, traffic
from lab.view.glyphs import QUIET, STRONG, clean

if TYPE_CHECKING:
    from rich.console import RenderableType

    from lab.view.arm import ArmState
    from lab.view.state import State

#: An arm's column is never narrower than this.
COLUMN = 40
FRAME = 2


class Size(NamedTuple):
    width: int
    height: int


#: Who gets the spare lines of a column, one after the other; all further ones show happenings.
SPARE = (
    *("happenings",) * 3,
    "curve",
    "bar",
    "gap before carts",
    "happenings",
    "gap before happenings",
    "happenings",
    "gap before servers",
    *("happenings",) * 2,
    "curve",
    "gap before traffic",
)


def smallest(arms: int, servers_count: int) -> Size:
    """The smallest terminal that shows so many arms and servers, with one happening each."""
    column = _fixed(servers_count) + 1
    return Size(max(arms, 2) * COLUMN, header.HEIGHT + column + FRAME + act.HEIGHT)


def _fixed(servers_count: int) -> int:
    """Lines of a column that never give way."""
    rows = servers.height(servers_count)
    return balancer.HEIGHT + rows + carts.height(1) + traffic.HEIGHT + axis.height(1)


def compose(state: State, size: Size) -> RenderableType:
    column = size.height - header.HEIGHT - act.HEIGHT
    foot = act.panel(state)
    if not state.arms:
        return Group(header.panel(state), Panel(Text(""), height=column, border_style=QUIET), foot)
    arms = Table.grid(expand=True)
    for _ in state.arms:
        arms.add_column(ratio=1)
    arms.add_row(*(_column(state, arm, column) for arm in state.arms))
    return Group(header.panel(state), arms, foot)


def _column(state: State, arm: ArmState, height: int) -> Panel:
    spare = share(height - FRAME - _fixed(len(arm.servers)))
    known = STRATEGIES.get(arm.strategy)
    place = known.place if known else clean(arm.strategy)
    title = Text.assemble(
        (f" {clean(arm.name).upper()} ", f"{STRONG} reverse not dim"),
        (f" {place} " if place else "", "not dim"),
    )
    body = Group(
        balancer.panel(state, arm),
        *_gap(spare["gap before servers"]),
        servers.panel(state, arm),
        *_gap(spare["gap before carts"]),
        carts.panel(state, arm, 1 + spare["bar"]),
        *_gap(spare["gap before traffic"]),
        traffic.panel(state, arm),
        axis.panel(state, arm, 1 + spare["curve"]),
        *_gap(spare["gap before happenings"]),
        happenings.panel(state, arm, spare["happenings"]),
    )
    verdict = act.verdict(arm.judged, state.glyphs) if arm.judged else None
    if verdict:
        verdict.stylize("not dim")
    return Panel(body, title=title, title_align="left", subtitle=verdict, height=height, border_style=QUIET)


def _gap(lines: int) -> list[Text]:
    return [Text("")] * lines


def share(lines: int) -> Counter[str]:
    """How many of the spare ``lines`` of a column each part gets."""
    given = Counter(SPARE[: max(lines, 0)])
    given["happenings"] += max(lines - len(SPARE), 0)
    return given


if __name__ == "__main__":
    from rich.console import Console

    from lab.view.sample import state_at

    console = Console()
    console.print(compose(state_at(9.0), Size(console.width, max(console.height - 1, 29))))
