"""The keyboard while a run is on: silent, and heard only when Enter is waited for."""

from __future__ import annotations

import asyncio
import contextlib
import os
import termios
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator


def is_ours(keyboard: TextIO) -> bool:
    """Whether a person at ``keyboard`` can reach this process: a terminal, and not in the background."""
    try:
        return keyboard.isatty() and os.tcgetpgrp(keyboard.fileno()) == os.getpgrp()
    except (OSError, ValueError):
        return False


@contextlib.contextmanager
def silent(keyboard: TextIO) -> Iterator[None]:
    """Keys pressed are not echoed into the picture; Ctrl-C still works.

    Whatever ends the block, the terminal is as before, and keys nobody waited for are forgotten
    rather than handed to the shell.
    """
    if not is_ours(keyboard):
        yield
        return
    before = termios.tcgetattr(keyboard)
    quiet = termios.tcgetattr(keyboard)
    quiet[3] &= ~(termios.ECHO | termios.ICANON)
    try:
        termios.tcsetattr(keyboard, termios.TCSADRAIN, quiet)
        yield
    finally:
        termios.tcsetattr(keyboard, termios.TCSAFLUSH, before)


async def enter(keyboard: TextIO) -> None:
    """Return when Enter is pressed from now on, or at once when nobody can press it."""
    if not is_ours(keyboard):
        return
    termios.tcflush(keyboard, termios.TCIFLUSH)
    loop = asyncio.get_running_loop()
    pressed = asyncio.Event()

    def read() -> None:
        typed = os.read(keyboard.fileno(), 1024)
        if not typed or b"\n" in typed or b"\r" in typed:
            pressed.set()

    loop.add_reader(keyboard.fileno(), read)
    try:
        await pressed.wait()
    finally:
        loop.remove_reader(keyboard.fileno())
