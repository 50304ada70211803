"""The screen on a real terminal: a child process on a pty, keys pressed and all."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

HOUSE = Path(__file__).parents[2]
ENTER_ALTERNATE, LEAVE_ALTERNATE = b"\x1b[?1049h", b"\x1b[?1049l"
SHOW_CURSOR, HIDE_CURSOR = b"\x1b[?25h", b"\x1b[?25l"
DEADLINE = 30.0
#: Stands once in every frame.
HEADER = "CART CHAOS LAB"

#: What every child begins with: a screen on its own terminal, half-way through the sample run.
PRELUDE = """
import asyncio, sys
from rich.console import Console
from lab.view import sample
from lab.view.screen import Screen
screen = Screen(Console(), lambda: 9.0)
screen.state = sample.state_at(9.0, shoppers=60)
"""
WAIT = """
async def wait():
    await screen.wait_for_enter("Enter: heal")
with screen:
    asyncio.run(wait())
print("went on")
"""


class Terminal:
    """A pty of some size with a child on it, and all that the child ever wrote there."""

    def __init__(self, program: str, width: int, height: int, **environment: str) -> None:
        self._stack = ExitStack()
        self._fd, child = pty.openpty()
        self._stack.callback(os.close, self._fd)
        # Kept open on our side too: the terminal's settings can be read when the child is gone.
        self._child = child
        self._stack.callback(os.close, child)
        fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        self.before = termios.tcgetattr(child)
        self.written = b""
        left_out = ("COLUMNS", "LINES", "NO_COLOR")
        kept = {name: value for name, value in os.environ.items() if name not in left_out}
        self.process = subprocess.Popen(
            [sys.executable, "-c", f"import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n{program}"],
            stdin=child,
            stdout=child,
            stderr=child,
            cwd=HOUSE,
            env={**kept, "TERM": "xterm-256color", "PYTHONUTF8": "1", **environment},
            start_new_session=True,
        )
        self._stack.callback(self._end)

    @property
    def settings(self) -> list[object]:
        return termios.tcgetattr(self._child)

    def until(self, text: str, times: int = 1) -> None:
        """Read until ``text`` was written, so many times."""
        end = time.monotonic() + DEADLINE
        while self.written.count(text.encode()) < times:
            if time.monotonic() > end:
                pytest.fail(f"waited {DEADLINE:.0f} s for {text!r}; got {self.written[-2000:]!r}")
            self._read()

    def until_more_frames(self, frames: int = 3) -> None:
        """Read until the whole picture was drawn so many times more."""
        self.until(HEADER, self.written.count(HEADER.encode()) + frames)

    def press(self, keys: str) -> None:
        os.write(self._fd, keys.encode())

    def exit_code(self) -> int:
        end = time.monotonic() + DEADLINE
        while self.process.poll() is None:
            if time.monotonic() > end:
                pytest.fail(f"the child did not end in {DEADLINE:.0f} s; it wrote {self.written[-2000:]!r}")
            self._read()
        while self._read():
            pass
        return self.process.returncode

    def close(self) -> None:
        self._stack.close()

    def _read(self) -> bool:
        if not select.select([self._fd], [], [], 0.05)[0]:
            return False
        self.written += os.read(self._fd, 65536)
        return True

    def _end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


class Terminals:
    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    def __call__(self, program: str, width: int = 100, height: int = 30, **environment: str) -> Terminal:
        terminal = Terminal(program, width, height, **environment)
        self._stack.callback(terminal.close)
        return terminal


@pytest.fixture(name="on_terminal")
def _on_terminal() -> Iterator[Terminals]:
    with ExitStack() as stack:
        yield Terminals(stack)


def after_screen(terminal: Terminal) -> str:
    """What is left on the normal screen."""
    return terminal.written.rpartition(LEAVE_ALTERNATE)[2].decode()


def test_enter_goes_on_other_keys_do_not_and_none_is_echoed(on_terminal: Terminals) -> None:
    terminal = on_terminal(PRELUDE + WAIT)
    terminal.until("Enter: heal")
    terminal.press("zzzqq")
    terminal.until_more_frames()
    assert terminal.process.poll() is None
    terminal.press("\r")
    assert terminal.exit_code() == 0
    assert "went on" in after_screen(terminal)
    assert b"zz" not in terminal.written
    assert terminal.settings == terminal.before


def test_keys_pressed_before_they_were_asked_for_do_not_count(on_terminal: Terminals) -> None:
    terminal = on_terminal(f"""{PRELUDE}
import select
with screen:
    select.select([0], [], [])
    asyncio.run(screen.wait_for_enter("Enter: heal"))
""")
    terminal.until(HEADER)
    terminal.press("\r\r")
    terminal.until("Enter: heal")
    terminal.until_more_frames()
    assert terminal.process.poll() is None
    terminal.press("\r")
    assert terminal.exit_code() == 0


@pytest.mark.parametrize(
    ("accident", "code"),
    [
        pytest.param("raise RuntimeError('boom')", 1, id="an exception"),
        pytest.param("signal.raise_signal(signal.SIGINT)", -signal.SIGINT, id="Ctrl-C"),
        pytest.param("sys.exit(3)", 3, id="an exit"),
    ],
)
def test_whatever_ends_a_run_the_terminal_is_as_before(
    accident: str, code: int, on_terminal: Terminals
) -> None:
    terminal = on_terminal(f"import signal\n{PRELUDE}\nwith screen:\n    {accident}\n")
    assert terminal.exit_code() == code
    assert terminal.settings == terminal.before
    assert terminal.written.count(ENTER_ALTERNATE) == terminal.written.count(LEAVE_ALTERNATE) == 1
    assert (
        SHOW_CURSOR in terminal.written.rpartition(LEAVE_ALTERNATE)[0][-40:] + after_screen(terminal).encode()
    )
    assert "No verdict: the run ended in the act 'shop on'." in after_screen(terminal)


def test_ctrl_c_works_while_enter_is_waited_for(on_terminal: Terminals) -> None:
    terminal = on_terminal(PRELUDE + WAIT)
    terminal.until("Enter: heal")
    terminal.press("\x03")
    assert terminal.exit_code() == -signal.SIGINT
    assert terminal.settings == terminal.before


def test_what_others_write_to_stderr_does_not_tear_the_picture_and_is_not_lost(
    on_terminal: Terminals,
) -> None:
    terminal = on_terminal(f"{PRELUDE}\nwith screen:\n    print('a warning', file=sys.stderr)\n")
    assert terminal.exit_code() == 0
    assert terminal.written.count(b"a warning") == 1
    assert "a warning" in after_screen(terminal)


def test_a_frame_overwrites_the_last_one_and_never_clears_the_screen(on_terminal: Terminals) -> None:
    """Clearing between frames is what flickers."""
    terminal = on_terminal(PRELUDE + WAIT)
    terminal.until("Enter: heal")
    terminal.until_more_frames()
    terminal.press("\r")
    assert terminal.exit_code() == 0
    live = terminal.written.partition(ENTER_ALTERNATE)[2].partition(LEAVE_ALTERNATE)[0]
    assert b"\x1b[2J" not in live[20:]
    assert b"\x1b[K" not in live


def test_no_color_is_respected(on_terminal: Terminals) -> None:
    terminal = on_terminal(f"{PRELUDE}\nwith screen:\n    pass\n", NO_COLOR="1")
    assert terminal.exit_code() == 0
    assert b"DOWN" in terminal.written
    assert not re.search(rb"\x1b\[[0-9;]*(38|48);", terminal.written)


def test_the_summary_stays_on_the_normal_screen(on_terminal: Terminals) -> None:
    program = f"{PRELUDE}\nscreen.state = sample.state_at(60.0)\nwith screen:\n    pass\n"
    terminal = on_terminal(program)
    assert terminal.exit_code() == 0
    left = after_screen(terminal)
    assert "sticky: 100 of 300 carts lost with server-2; 0 of the other 200" in left
    assert "lives exactly as long as the process" in left


def test_the_screen_takes_at_most_a_tenth_of_a_core(on_terminal: Terminals) -> None:
    """300 shoppers as they come; the tolerance is for machines that do other things too."""
    measure = """
import time
replay = sample.Replay()
screen = Screen(Console(), replay.clock)
with screen:
    began, cpu = time.monotonic(), time.process_time()
    while time.monotonic() - began < 5:
        time.sleep(0.02)
        while replay.events and replay.events[0].at <= time.monotonic() - began:
            screen.handle(replay.events.pop(0))
    share = (time.process_time() - cpu) / (time.monotonic() - began)
print(f"share={100 * share:.1f} %")
"""
    terminal = on_terminal(PRELUDE + measure)
    assert terminal.exit_code() == 0
    share = re.search(r"share=([0-9.]+) %", after_screen(terminal))
    assert share
    assert float(share[1]) < 20


@pytest.mark.slow
@pytest.mark.timeout(90)
def test_a_person_is_asked_what_they_expect_and_hears_what_misled_them(
    on_terminal: Terminals, tmp_path: Path
) -> None:
    words = ["run", "calm", "--plain", "--arms", "sticky", "--shoppers", "3", "--seed", "5"]
    words += ["--runs", str(tmp_path)]
    terminal = on_terminal(f"from lab.cli import main; main({words!r})")
    terminal.until("What do you expect?")
    assert not list(tmp_path.iterdir())
    terminal.press("2\r")
    terminal.until("What misled you: a risk is taken for a loss.")
    assert terminal.exit_code() == 0
    results = json.loads((tmp_path / "latest" / "results.json").read_text())
    assert results["prediction"]["is_right"] is False
    assert results["prediction"]["misconception"] == "a risk is taken for a loss"
