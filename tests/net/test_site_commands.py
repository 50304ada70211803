"""``up``, ``status``, ``where``, ``start`` and ``down``, as a person at a terminal uses them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from lab.cluster import ending, leftovers
from lab.cluster.registry import Registry
from lab.cluster.standing import Standing
from lab.commands.what_to_try import Step, around, crash_by_hand

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Corner = Any  # the fixture's type lives in a conftest, which nobody can import
    WaitUntil = Callable[..., None]
    Cartlab = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def cartlab(corner: Corner) -> Iterator[Cartlab]:
    yield corner.cartlab
    corner.cartlab("down")


def up(cartlab: Cartlab, mode: str, *more: str) -> str:
    done = cartlab("up", "--mode", mode, "--port", "0", "--admin-port", "0", "--servers", "2", *more)
    assert done.returncode == 0, done.stderr
    return done.stdout


def standing(name: str) -> Standing:
    return next(Standing.of(record) for record in Registry().living("site") if record.name == name)


def do(step: Step, corner: Corner) -> str:
    """Just what a person does who pastes the printed line."""
    done = subprocess.run(
        ["sh", "-c", step.command], env=corner.environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{step.command}: {done.stderr}"
    return done.stdout


@pytest.mark.parametrize(("mode", "items_after"), [("sticky", []), ("stateless", ["MacBook Pro"])])
def test_the_printed_lines_crash_a_server_by_hand(
    mode: str, items_after: list[str], cartlab: Cartlab, corner: Corner
) -> None:
    page = up(cartlab, mode)
    about = standing(mode).about
    add, read, crash, read_again = crash_by_hand(about)
    status, where, start, down = around(about)
    for step in (add, read, crash, read_again, status, where, start, down):
        assert f"  # {step.says}\n  {step.command}\n" in page

    holder = json.loads(do(add, corner))["serverId"]
    found = json.loads(do(read, corner))
    assert [line["item"] for line in found["cart"]] == ["MacBook Pro"]
    if mode == "sticky":
        assert found["serverId"] == holder
        assert f"{holder} holds session {found['sessionId']}" in do(where, corner)
    else:
        assert "the question is void" in do(where, corner)
    victim = json.loads(do(crash, corner))["message"].split()[0]
    assert victim == holder or mode == "stateless"
    after = json.loads(do(read_again, corner))
    assert [line["item"] for line in after["cart"]] == items_after
    assert after["serverId"] != victim

    assert "down" in do(status, corner)
    assert f"{victim} is up again" in do(start, corner)
    assert "down" not in do(status, corner)
    assert f"{mode}: ended" in do(down, corner)
    assert not corner.left_over()


def test_two_sites_stand_side_by_side_and_end_one_by_one(cartlab: Cartlab) -> None:
    up(cartlab, "sticky")
    up(cartlab, "stateless")
    assert [site["name"] for site in sites(cartlab)] == ["stateless", "sticky"]
    assert "sticky: ended" in cartlab("down", "sticky").stdout
    assert [site["name"] for site in sites(cartlab)] == ["stateless"]
    assert "No site 'sticky' stands" in cartlab("down", "sticky").stdout
    assert "stateless: ended" in cartlab("down").stdout
    at_rest = cartlab("down").stdout
    assert "Nothing stands, and no process was left behind" in at_rest
    assert "down --docker" in at_rest, "it did not look for containers, and says so"


def test_where_and_start_without_a_site_say_how_to_get_one(cartlab: Cartlab) -> None:
    for words in (["where", "0123456789ab"], ["start"]):
        done = cartlab(*words)
        assert done.returncode == 4
        assert "up --mode sticky" in done.stderr
    assert cartlab("status").returncode == 0
    assert json.loads(cartlab("status", "--json").stdout) == {"sites": []}


def test_a_taken_port_is_refused_with_its_number_and_owner(cartlab: Cartlab) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for flag in ("--port", "--admin-port"):
            other = "--admin-port" if flag == "--port" else "--port"
            done = cartlab("up", "--mode", "sticky", flag, port, other, "0")
            assert done.returncode == 4
            assert f"Port {port} on 127.0.0.1 is taken by" in done.stderr
            assert f"(pid {os.getpid()})" in done.stderr
            assert flag in done.stderr


def test_a_site_that_cannot_start_says_why_and_leaves_nothing(cartlab: Cartlab, corner: Corner) -> None:
    done = cartlab("up", "--mode", "stateless", "--port", "0", "--admin-port", "0",
                   "--redis-url", "redis://user:sesame@127.0.0.1:1")  # fmt: skip
    assert done.returncode == 4
    assert "that store cannot be used" in done.stderr
    assert "sesame" not in done.stderr + done.stdout
    assert not corner.left_over()


def test_down_cleans_after_a_killed_keeper_and_warden(
    cartlab: Cartlab, corner: Corner, wait_until: WaitUntil
) -> None:
    up(cartlab, "sticky")
    record = standing("sticky").record
    # Neither may see the other die, or it would do the work that is left to `down` here.
    psutil.Process(record.driver.pid).suspend()
    psutil.Process(record.group).kill()
    psutil.Process(record.driver.pid).kill()
    wait_until(lambda: not Registry().living("site"), "the keeper is dead")
    done = cartlab("down")
    assert "Cleaned what a dead run left: site sticky" in done.stdout
    assert not [member for member in record.members if leftovers.is_running(member)]
    assert not corner.left_over()


def sites(cartlab: Cartlab) -> list[dict[str, Any]]:
    listed = json.loads(cartlab("status", "--json").stdout)["sites"]
    return sorted(listed, key=lambda site: str(site["name"]))


def test_ctrl_c_while_a_site_starts_leaves_nothing(corner: Corner, wait_until: WaitUntil) -> None:
    script = "from lab.cli import main; main(['up', '--mode', 'sticky', '--port', '0', '--admin-port', '0'])"
    starting = corner.run(script)
    wait_until(lambda: Registry().living("site"), "the keeper is at work")
    starting.popen.send_signal(signal.SIGINT)
    assert starting.popen.wait() == 130
    assert not Registry().all()
    assert not corner.left_over()


LIVING_RUN = """
import asyncio, sys
from pathlib import Path
from lab.cluster.child import Program
from lab.cluster.family import Family

async def main(folder):
    async with Family("run", "crash", folder) as family:
        await family.start(Program("child", ["sleep", "600"], folder / "child.log"))
        print("ready", flush=True)
        await asyncio.Event().wait()

asyncio.run(main(Path(sys.argv[1])))
"""


def test_down_leaves_a_living_run_alone_and_says_so(cartlab: Cartlab, corner: Corner, tmp_path: Path) -> None:
    run = corner.run(LIVING_RUN, str(tmp_path))
    run.says("ready")
    before = {process.pid for process in run.members()}
    assert f"The run 'crash' (pid {run.popen.pid}) is alive and was left alone." in cartlab("down").stdout
    assert {process.pid for process in run.members()} == before


def test_down_kills_a_keeper_that_does_not_answer(
    cartlab: Cartlab, corner: Corner, monkeypatch: pytest.MonkeyPatch
) -> None:
    up(cartlab, "sticky")
    site = standing("sticky")
    psutil.Process(site.record.driver.pid).suspend()
    monkeypatch.setattr(ending, "_ASKED", 0.1)
    ended = ending.end(site.record, Registry())
    assert ended.was_forced
    assert not leftovers.is_running(site.record.driver)
    assert not corner.left_over()
