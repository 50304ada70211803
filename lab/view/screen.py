"""The screen: the one place that touches rich's ``Live``.

It draws in the terminal's alternate screen, four times a second, and leaves the verdict on the
normal one. What others write to stderr meanwhile would tear the picture, so it is kept and shown
afterwards. Drawing happens in Live's own thread; a state is immutable, so nothing needs a lock.
"""

from __future__ import annotations

import contextlib
import io
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Self, TextIO

from rich.live import Live

from lab.view import keys, summary
from lab.view.glyphs import ASCII, UNICODE
from lab.view.layout import Size, compose
from lab.view.state import State, update

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console, RenderableType

    from lab.timeline import Event

FRAMES_A_SECOND = 4


class Screen:
    """A view: ``handle`` every event inside ``with``; ``clock`` gives seconds since the run began."""

    def __init__(self, console: Console, clock: Callable[[], float], keyboard: TextIO = sys.stdin) -> None:
        self.state = State(glyphs=ASCII if console.options.ascii_only else UNICODE)
        self._console = console
        self._clock = clock
        self._keyboard = keyboard
        self._stderr = io.StringIO()
        self._open = contextlib.ExitStack()

    def handle(self, event: Event) -> None:
        self.state = update(self.state, event)

    async def wait_for_enter(self, prompt: str) -> None:
        self.state = replace(self.state, prompt=prompt)
        try:
            await keys.enter(self._keyboard)
        finally:
            self.state = replace(self.state, prompt="")

    def frame(self) -> RenderableType:
        size = self._console.size
        return compose(replace(self.state, now=self._clock()), Size(size.width, size.height))

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as opening:
            opening.enter_context(keys.silent(self._keyboard))
            opening.enter_context(contextlib.redirect_stderr(self._stderr))
            live = Live(
                console=self._console,
                get_renderable=self.frame,
                screen=True,
                refresh_per_second=FRAMES_A_SECOND,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            opening.enter_context(live)
            live.refresh()
            self._open = opening.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._open.close()
        sys.stderr.write(self._stderr.getvalue())
        self._console.print(summary.panel(self.state))


if __name__ == "__main__":
    import asyncio

    from rich.console import Console as Terminal

    from lab.view.sample import Replay

    replay = Replay()
    with Screen(Terminal(), replay.clock) as screen:
        asyncio.run(replay.into(screen.handle))
