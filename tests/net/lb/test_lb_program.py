"""The program itself: flags, environment, exit codes, signals."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.net.lb.conftest import Lb, OpenBackend, Peer, Seen, StartLb


def run(*flags: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lb", *flags],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--listen", "nowhere"], "expected HOST:PORT"),
        (["--server", "a=127.0.0.1:1", "--server", "a=127.0.0.1:2"], "a name is an identity"),
        (["--server", "127.0.0.1:1"], "expected NAME=HOST:PORT"),
        (["--server", "a=127.0.0.1:1", "--backup", "a=127.0.0.1:2"], "a is a server and a backup"),
        (["--sticky", "glue"], "'none', 'learn'"),
        (["--fall", "0"], "expected at least 1"),
        (["--cookie-name", "cart_sid"], "are both called cart_sid"),
        (["--cookie-name", "a b"], "is no cookie name"),
        (["--cookie-value", "opaque"], "needs LB_COOKIE_SECRET"),
        (["--hash-key", "weather"], "expected cookie, address or header:NAME"),
        (["--hash-balance-factor", "90"], "expected more than 100"),
        (["--inter", "-1"], "expected more than 0"),
        (["--check-timeout", "soon"], "not a valid float"),
        (["--colour"], "No such option"),
    ],
)
def test_bad_usage_exits_2_and_says_what_was_expected(flags: list[str], says: str) -> None:
    ended = run(*flags)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert says in ended.stderr


@pytest.mark.parametrize("door", ["--listen", "--admin"])
def test_a_taken_port_exits_4_and_is_named(door: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = run("--listen", "127.0.0.1:0", door, f"127.0.0.1:{port}")
    assert (ended.returncode, ended.stdout) == (4, "")
    assert f"port {port} of 127.0.0.1" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_log_that_cannot_be_written_exits_4_and_is_named(tmp_path: Path) -> None:
    ended = run("--listen", "127.0.0.1:0", "--log", str(tmp_path))
    assert (ended.returncode, ended.stdout) == (4, "")
    assert f"cannot write the request log {tmp_path}" in ended.stderr


def test_every_flag_has_a_name_in_the_environment() -> None:
    ended = run(LB_LISTEN="127.0.0.1:0", LB_FALL="0")
    assert ended.returncode == 2
    assert "fall is 0" in ended.stderr


def test_help_is_a_page_with_exit_codes_and_defaults() -> None:
    ended = run("--help")
    assert ended.returncode == 0
    assert "\n  Exit codes: 0 stopped cleanly" in ended.stdout
    assert "\\b" not in ended.stdout, "a backspace for click, not for people"
    assert "[default: 127.0.0.1:8080]" in ended.stdout


async def wait_until_closed(lb: Lb) -> None:
    """The first signal has been heard when nobody is let in any more."""
    with suppress(ConnectionError):
        while True:
            (await lb.wire()).close()
            await asyncio.sleep(0.01)


async def test_the_first_line_says_where_it_listens(start_lb: StartLb) -> None:
    lb = await start_lb()
    assert lb.said == {
        "event": "listening",
        "program": "lb",
        "host": "127.0.0.1",
        "port": lb.port,
        "admin_host": "127.0.0.1",
        "admin_port": lb.said["admin_port"],
        "pid": lb.process.pid,
        "detection_seconds": 1.2,
    }
    assert lb.port > 0


#: A program whose reader ends it the very moment it hears from it.
HASTY = """
import os, signal, sys
from lb.__main__ import main

class Hasty:
    def write(self, line):
        os.kill(os.getpid(), signal.SIGTERM)

    def flush(self):
        pass

sys.stdout = Hasty()
main(["--listen", "127.0.0.1:0"])
"""


def test_a_stop_that_comes_with_the_first_line_is_a_clean_one() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", HASTY], capture_output=True, text=True, timeout=20, check=False
    )
    assert (ended.returncode, "stopped: everything" in ended.stderr) == (0, True), ended.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_stop_finishes_what_is_in_flight_and_takes_nothing_new(
    start_lb: StartLb, backend: OpenBackend, number: signal.Signals
) -> None:
    s1 = await backend("s1")
    lb = await start_lb(s1)
    idle, busy = await lb.wire(), await lb.wire()
    assert (await idle.get()).status == 200
    arrived, may_answer = asyncio.Event(), asyncio.Event()

    async def script(peer: Peer, seen: Seen) -> None:
        arrived.set()
        await may_answer.wait()
        await peer.answer(b"finished")

    s1.script = script
    in_flight = asyncio.ensure_future(busy.get())
    await arrived.wait()
    lb.process.send_signal(number)
    assert await idle.rest() == b"", "an idle client is let go"
    await wait_until_closed(lb)
    may_answer.set()
    answer = await in_flight
    assert (answer.body, answer["connection"]) == (b"finished", "close")
    assert await lb.ended() == 0


async def test_a_stop_under_load_fails_no_request_that_was_taken(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    s1 = await backend("s1")
    lb = await start_lb(s1)
    served = 0

    async def shop() -> None:
        nonlocal served
        wire = await lb.wire()
        while True:
            answer = await wire.get()
            assert answer.status == 200
            served += 1
            if answer["connection"] == "close":
                return

    shoppers = [asyncio.ensure_future(shop()) for _ in range(8)]
    while served < 50:
        await asyncio.sleep(0.01)
    assert await lb.stop() == 0
    await asyncio.gather(*shoppers)


async def test_what_hangs_is_cut_off_at_the_hard_stop_and_the_exit_code_says_so(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    s1 = await backend("s1")
    lb = await start_lb(s1, flags=("--hard-stop-after", "0.3"))
    arrived = asyncio.Event()

    async def hang(peer: Peer, seen: Seen) -> None:
        arrived.set()
        await peer.reader.read()

    s1.script = hang
    wire = await lb.wire()
    await wire.send(b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n")
    await arrived.wait()
    assert await lb.stop() == 1
    assert "cut 1 off" in await lb.complaint()


async def test_a_second_signal_does_not_wait(start_lb: StartLb, backend: OpenBackend) -> None:
    s1 = await backend("s1")
    lb = await start_lb(s1, flags=("--hard-stop-after", "600"))
    arrived = asyncio.Event()

    async def hang(peer: Peer, seen: Seen) -> None:
        arrived.set()
        await peer.reader.read()

    s1.script = hang
    wire = await lb.wire()
    await wire.send(b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n")
    await arrived.wait()
    lb.process.send_signal(signal.SIGTERM)
    await wait_until_closed(lb)
    assert await lb.stop() == 1
