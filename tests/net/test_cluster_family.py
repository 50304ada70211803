"""A family dies with its driver, however the driver dies, and takes its folders along."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from random import Random
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import uvloop

from lab.cluster import family as family_module
from lab.cluster.child import Program
from lab.cluster.errors import CannotStart, ChildLost
from lab.cluster.family import Family
from lab.cluster.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Corner = Any  # the fixture's type lives in a conftest, which nobody can import
    WaitUntil = Callable[..., None]

#: Listens on a port as servers do, and deaf to SIGTERM when told so.
LISTENER = """
import json, signal, socket, sys, threading
if "--deaf" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
server = socket.create_server(("127.0.0.1", 0))
print(json.dumps({"event": "listening", "port": server.getsockname()[1]}), flush=True)
threading.Event().wait()
"""

#: A driver with a store and two listeners; it says its steps so that a test can kill it at each.
DRIVER = f"""
import asyncio, sys
from pathlib import Path
from lab.cluster import store
from lab.cluster.store_binary import find_binary
from lab.cluster.child import Program
from lab.cluster.family import Family

async def main(folder):
    print("begins", flush=True)
    async with Family("run", "test", folder / "log") as family:
        print("family", flush=True)
        for name in ("one", "two"):
            listener = Program(name, [sys.executable, "-c", {LISTENER!r}], folder / "log" / name)
            await (await family.start(listener)).listening(20)
        await store.start(family, find_binary(), "store")
        print("ready", flush=True)
        await asyncio.Event().wait()

asyncio.run(main(Path(sys.argv[1])))
"""


def listener(folder: Path, *flags: str, name: str = "listener") -> Program:
    return Program(name, [sys.executable, "-c", LISTENER, *flags], folder / f"{name}.log")


@pytest.mark.parametrize("step", ["begins", "family", "ready"])
def test_nothing_outlives_a_driver_that_is_killed(
    step: str, corner: Corner, tmp_path: Path, wait_until: WaitUntil
) -> None:
    driver = corner.run(DRIVER, str(tmp_path))
    driver.says(step)
    driver.kill()
    wait_until(lambda: not driver.members(), "the driver's children are gone")
    wait_until(lambda: not corner.left_over(), f"{corner.left_over()} are gone")


@pytest.mark.slow
def test_nothing_outlives_a_driver_that_is_killed_at_random_moments(
    corner: Corner, tmp_path: Path, wait_until: WaitUntil
) -> None:
    dice = Random(2025)  # noqa: S311 - moments, no secrets
    for _ in range(10):
        driver = corner.run(DRIVER, str(tmp_path))
        driver.says("begins")
        driver.let_run(dice.uniform(0, 0.4))
        driver.kill()
        wait_until(lambda killed=driver: not killed.members(), "the driver's children are gone")
        wait_until(lambda: not corner.left_over(), f"{corner.left_over()} are gone")


def test_a_stopped_child_dies_with_the_driver_too(
    corner: Corner, tmp_path: Path, wait_until: WaitUntil
) -> None:
    driver = corner.run(DRIVER, str(tmp_path))
    driver.says("ready")
    for child in driver.children():
        if "warden.py" not in " ".join(child.cmdline()):
            child.send_signal(signal.SIGSTOP)
    driver.kill()
    wait_until(lambda: not driver.members(), "stopped children are gone")
    wait_until(lambda: not corner.left_over(), f"{corner.left_over()} are gone")


def test_children_are_in_the_background_so_that_ctrl_c_misses_them(corner: Corner, tmp_path: Path) -> None:
    driver = corner.run(DRIVER, str(tmp_path))
    driver.says("ready")
    groups = {os.getpgid(child.pid) for child in driver.children()}
    assert len(groups) == 1
    assert groups != {os.getpgid(driver.popen.pid)}


async def test_an_ordinary_end_leaves_nothing(corner: Corner, tmp_path: Path) -> None:
    async with Family("run", "test", tmp_path) as family:
        child = await family.start(listener(tmp_path))
        assert (await child.listening(20))["port"] > 0
        assert Registry().living("run")
        assert corner.left_over()
    assert not psutil.pid_exists(child.pid)
    assert not corner.left_over()
    assert not Registry().all()


async def test_a_child_deaf_to_sigterm_is_killed_after_the_grace(corner: Corner, tmp_path: Path) -> None:
    async with Family("run", "test", tmp_path) as family:
        child = await family.start(listener(tmp_path, "--deaf"))
        await child.listening(20)
        await family.end(grace=0.1)
        assert await child.wait() == -signal.SIGKILL


async def test_a_cancelled_end_kills_at_once(corner: Corner, tmp_path: Path) -> None:
    async with Family("run", "test", tmp_path) as family:
        child = await family.start(listener(tmp_path, "--deaf"))
        await child.listening(20)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(family.end(grace=1000), 0.1)
        assert await child.wait() == -signal.SIGKILL
    assert not corner.left_over()


async def test_a_child_that_cannot_start_is_reported_with_code_last_lines_and_log(
    corner: Corner, tmp_path: Path
) -> None:
    script = "import sys; print(*range(40), sep='\\n', file=sys.stderr); sys.exit(7)"
    program = Program("sickly", [sys.executable, "-c", script], tmp_path / "sickly.log")
    async with Family("run", "test", tmp_path) as family:
        with pytest.raises(CannotStart) as caught:
            await (await family.start(program)).listening(20)
    message = str(caught.value)
    assert "sickly could not start: it ended with exit code 7" in message
    assert message.endswith("\n    38\n    39")
    assert "\n    25\n" in message
    assert "\n    24\n" not in message
    assert str(tmp_path / "sickly.log") in message
    assert caught.value.exit_code == 4


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "killed by SIGKILL"),
        ("print('Traceback, sort of', flush=True); input()", "it is 'Traceback, sort of'"),
        ("import threading; threading.Event().wait()", "it said nothing within 0.2 s"),
    ],
    ids=["killed", "says something else", "silent"],
)
async def test_what_keeps_a_child_from_starting_is_said(
    script: str, says: str, corner: Corner, tmp_path: Path
) -> None:
    program = Program("sickly", [sys.executable, "-c", script], tmp_path / "sickly.log")
    async with Family("run", "test", tmp_path) as family:
        child = await family.start(program)
        with pytest.raises(CannotStart, match=says):
            await child.listening(0.2 if "nothing" in says else 20)


async def test_losing_a_child_that_the_run_needs_ends_the_run(corner: Corner, tmp_path: Path) -> None:
    async def run() -> None:
        async with Family("run", "test", tmp_path) as family:
            child = await family.start(listener(tmp_path))
            await child.listening(20)
            family.needs(child)
            psutil.Process(child.pid).kill()
            await asyncio.Event().wait()

    with pytest.raises(ChildLost, match="listener is gone: it was killed by SIGKILL"):
        await run()
    assert not corner.left_over()


@pytest.mark.parametrize("ends", ["with an error", "by itself"])
async def test_a_loss_explains_whatever_else_came_of_it(ends: str, corner: Corner, tmp_path: Path) -> None:
    async def run() -> None:
        async with Family("run", "test", tmp_path) as family:
            child = await family.start(listener(tmp_path))
            await child.listening(20)
            family.needs(child)
            psutil.Process(child.pid).kill()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if ends == "with an error":
                    raise ConnectionError("nobody answers any more") from None

    with pytest.raises(ChildLost) as caught:
        await run()
    assert isinstance(caught.value.__cause__, ConnectionError) is (ends == "with an error")


async def test_a_stopped_warden_does_not_hold_up_the_end(
    corner: Corner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(family_module, "GRACE", 0.2)
    async with Family("run", "test", tmp_path):
        warden = psutil.Process(Registry().living("run")[0].group)
        warden.suspend()
    assert not warden.is_running()
    assert not corner.left_over()


async def test_losing_the_warden_ends_the_run(corner: Corner, tmp_path: Path) -> None:
    children = []

    async def run() -> None:
        async with Family("run", "test", tmp_path) as family:
            children.append(await family.start(listener(tmp_path)))
            psutil.Process(Registry().living("run")[0].group).kill()
            await asyncio.Event().wait()

    with pytest.raises(ChildLost, match="warden"):
        await run()
    assert not psutil.pid_exists(children[0].pid)
    assert not corner.left_over()


async def test_killing_a_needed_child_on_purpose_is_no_loss(corner: Corner, tmp_path: Path) -> None:
    async with Family("run", "test", tmp_path) as family:
        child = await family.start(listener(tmp_path))
        family.needs(child)
        await child.kill()
        await asyncio.sleep(0)


async def test_a_cancellation_from_outside_stays_a_cancellation(corner: Corner, tmp_path: Path) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2), Family("run", "test", tmp_path):
            await asyncio.Event().wait()
    assert not corner.left_over()


async def test_a_child_gets_none_of_the_users_own_settings(
    corner: Corner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CART_SECRET", "LB_LISTEN", "HTTP_PROXY"):
        monkeypatch.setenv(name, "from the user's shell")
    script = "import json, os; print(json.dumps({'event': 'listening', 'has': sorted(os.environ)}))"
    program = Program("nosy", [sys.executable, "-c", script], tmp_path / "log", {"CART_ID": "server-1"})
    async with Family("run", "test", tmp_path) as family:
        seen = (await (await family.start(program)).listening(20))["has"]
    assert "CART_ID" in seen
    assert not {"CART_SECRET", "LB_LISTEN", "HTTP_PROXY"} & set(seen)


def test_a_family_lives_and_dies_on_uvloop_too(corner: Corner, tmp_path: Path) -> None:
    async def run() -> int:
        async with Family("run", "test", tmp_path) as family:
            child = await family.start(listener(tmp_path))
            await child.listening(20)
            await child.kill()
            return await child.wait()

    assert uvloop.run(run()) == -signal.SIGKILL
    assert not corner.left_over()
