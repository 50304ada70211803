"""A standing site as a person reads it: a table with shapes, or one fact a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from lab.view.glyphs import ASCII, BAD, BUSY, GOOD, QUIET, UNICODE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console, ConsoleOptions, RenderResult

    from lab.cluster.standing import Standing

_STYLES = {"up": GOOD, "down": BAD}


class SiteTable:
    """A renderable, so that the console it is printed on decides about shapes and colours."""

    def __init__(self, site: Standing) -> None:
        self._site = site

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if self._site.description is None:
            yield Text(f"{self._site.name}: still starting")
            return
        glyphs = ASCII if options.ascii_only else UNICODE
        about = self._site.description
        yield Text(f"{about.mode}  {about.front}", style="bold")
        yield Text(
            f"sticky {about.sticky}, admin API {about.admin}, carts in {about.store or 'memory'}", style=QUIET
        )
        table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style=QUIET)
        for column in ("server", "state", "sessions", "pid", "address", "why"):
            table.add_column(column)
        for row in self._site.servers():
            state = Text(f"{glyphs.shape(row.state)} {row.state}", style=_STYLES.get(row.state, BUSY))
            table.add_row(row.name, state, str(row.sessions), str(row.pid or "gone"), row.address, row.cause)
        yield table


def plain_lines(site: Standing) -> Iterator[str]:
    if site.description is None:
        yield f"site {site.name} starting"
        return
    about = site.description
    yield f"site {site.name} front {about.front} admin {about.admin} sticky {about.sticky}"
    yield f"store {about.store or 'none'}"
    for row in site.servers():
        yield f"server {row.name} {row.state} sessions {row.sessions} address {row.address} pid {row.pid}"
