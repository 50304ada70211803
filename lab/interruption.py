"""Ctrl-C and its kin: the first one heals and ends in order, the second one ends at once."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lab.verdict import ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption:
    """``came`` tells whether somebody asked the run to end."""

    def __init__(
        self, task: asyncio.Task[object], say: Callable[[str], None], leave: Callable[[], None]
    ) -> None:
        self.came = False
        self._task = task
        self._say = say
        self._leave = leave

    def handle(self, number: signal.Signals) -> None:
        if self.came:
            self._leave()
            # Everything that we started ends with this process: the warden sees to it.
            os._exit(ExitCode.INTERRUPTED)
        self.came = True
        self._say(f"{number.name}: healing what is broken, then ending it all. Once more ends it at once.")
        self._task.cancel()


@contextmanager
def interruptible(say: Callable[[str], None], leave: Callable[[], None]) -> Iterator[Interruption]:
    """Inside, signals cancel the current task. ``leave`` gives the terminal back before a quick end."""
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("interruptible() was called outside a task")
    loop = asyncio.get_running_loop()
    interruption = Interruption(task, say, leave)
    for number in _SIGNALS:
        loop.add_signal_handler(number, interruption.handle, number)
    try:
        yield interruption
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
            if interruption.came:
                # All is healed and ending; one more Ctrl-C could only tear the exit code.
                signal.signal(number, signal.SIG_IGN)
