"""Which view a run gets: the screen, lines, or silence; and why not the screen."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Protocol, Self

from lab.view.layout import smallest
from lab.view.plain import Plain
from lab.view.screen import Screen

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from lab.timeline import Event


class View(Protocol):
    """Who looks at a run: hears every event, and can ask for Enter."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...

    def handle(self, event: Event) -> None: ...

    async def wait_for_enter(self, prompt: str) -> None: ...


class Silent:
    """For ``--json``: stdout belongs to one object."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def handle(self, event: Event) -> None:
        pass

    async def wait_for_enter(self, prompt: str) -> None:
        pass


def view_for(
    console: Console,
    clock: Callable[[], float],
    *,
    arms: int,
    servers: int,
    plain: bool = False,
    silent: bool = False,
) -> View:
    """The best view that ``console`` can show; without a screen it says why, unless that was asked for."""
    if silent:
        return Silent()
    if isinstance(console.file, io.TextIOWrapper):
        # A letter that the terminal's encoding lacks is no reason to lose a run.
        console.file.reconfigure(errors="replace")
    if plain:
        return Plain(console)
    reason = why_plain(console, arms, servers)
    if reason is None:
        return Screen(console, clock)
    console.out(reason, highlight=False)
    return Plain(console)


def why_plain(console: Console, arms: int, servers: int) -> str | None:
    if console.is_dumb_terminal:
        return "Plain output: the terminal cannot move its cursor (TERM=dumb)."
    if not console.is_terminal or not console.is_interactive:
        return "Plain output: this is no terminal."
    need, have = smallest(arms, servers), console.size
    if have.width < need.width or have.height < need.height:
        return (
            f"Plain output: the screen needs {need.width}x{need.height}, this terminal has "
            f"{have.width}x{have.height}. Enlarge the window, or make its letters smaller, to see the screen."
        )
    return None
