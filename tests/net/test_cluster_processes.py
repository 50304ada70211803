"""What is special about a site of real processes; what every site promises is in test_site_contract.py."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import psutil
import pytest

from lab.cluster import loopback, programs
from lab.cluster.child import Program
from lab.cluster.errors import CannotStart, ChildLost
from lab.cluster.family import Family
from lab.cluster.processes import open_sites
from lab.topology import sticky_arm

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from lab.cluster.processes import ProcessSite
    from lab.timeline import ServerChanged
    from lab.topology import Arm

    Corner = Any  # the fixture's type lives in a conftest, which nobody can import
    WaitUntil = Callable[..., None]

DRIVER = """
import asyncio, sys
from pathlib import Path
from lab.cluster.family import Family
from lab.cluster.processes import open_sites
from lab.topology import stateless_arm, sticky_arm

async def main(folder):
    print("begins", flush=True)
    async with Family("run", "test", folder) as family:
        async with open_sites([sticky_arm(2), stateless_arm(2)], family) as sites:
            print("ready", *(site.front.port for site in sites.values()), flush=True)
            await asyncio.Event().wait()

asyncio.run(main(Path(sys.argv[1])))
"""


@asynccontextmanager
async def one_site(arm: Arm, folder: Path, **options: Any) -> AsyncIterator[ProcessSite]:
    async with Family("run", "test", folder) as family, open_sites([arm], family, **options) as sites:
        yield sites[arm.name]


async def ask(url: str, **options: Any) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as client, client.get(url, **options) as answer:
        return answer.status, await answer.json()


async def test_a_killed_server_comes_back_under_its_name_on_a_new_port(
    corner: Corner, tmp_path: Path
) -> None:
    changes: list[ServerChanged] = []
    async with one_site(sticky_arm(2), tmp_path, on_change=changes.append) as site:
        before = site.servers["server-1"]
        await site.kill("server-1")
        assert not psutil.pid_exists(before.child.pid)
        await site.start("server-1")
        after = site.servers["server-1"]
        assert after.address != before.address
        assert after.child.pid != before.child.pid
        status, body = await ask(f"{after.address.url}/health")
        assert (status, body["serverId"]) == (200, "server-1")
        _, listed = await ask(f"{site.admin.url}/servers")
        rows = {row["name"]: (row["state"], row["address"]) for row in listed["servers"]}
        assert rows["server-1"] == ("up", str(after.address))
    assert [change.state for change in changes if change.server == "server-1"][-1] == "up"


async def test_starting_a_server_that_runs_changes_nothing(corner: Corner, tmp_path: Path) -> None:
    async with one_site(sticky_arm(1), tmp_path) as site:
        pid = site.servers["server-1"].child.pid
        await site.start("server-1")
        assert site.servers["server-1"].child.pid == pid


async def test_a_server_that_cannot_start_ends_the_start_with_its_last_words(
    corner: Corner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = programs.server

    def sickly(arm: Arm, name: str, *rest: Any) -> Program:
        if name != "server-2":
            return really(arm, name, *rest)
        script = "import sys; print('no room at the inn', file=sys.stderr); sys.exit(3)"
        return Program("sticky-server-2", [sys.executable, "-c", script], tmp_path / "sticky-server-2.log")

    monkeypatch.setattr(programs, "server", sickly)
    with pytest.raises(CannotStart) as caught:
        async with one_site(sticky_arm(3), tmp_path):
            pass
    assert "sticky-server-2 could not start: it ended with exit code 3" in str(caught.value)
    assert "no room at the inn" in str(caught.value)
    assert str(tmp_path / "sticky-server-2.log") in str(caught.value)
    assert not corner.left_over()


async def test_losing_the_balancer_ends_the_run_with_its_last_words(corner: Corner, tmp_path: Path) -> None:
    async def run() -> None:
        async with one_site(sticky_arm(1), tmp_path):
            me = psutil.Process()
            (balancer,) = [child for child in me.children() if "lb" in child.cmdline()]
            balancer.kill()
            await asyncio.Event().wait()

    with pytest.raises(ChildLost, match="sticky-lb is gone: it was killed by SIGKILL"):
        await run()
    assert not corner.left_over()


@pytest.mark.slow
@pytest.mark.parametrize("patience", [0.0, 0.15, 0.6, 1.5, None])
def test_nothing_of_two_whole_arms_outlives_a_killed_driver(
    patience: float | None, corner: Corner, tmp_path: Path, wait_until: WaitUntil
) -> None:
    driver = corner.run(DRIVER, str(tmp_path))
    ports = driver.says("begins").split()[1:]
    if patience is None:
        ports = driver.says("ready").split()[1:]
        stopped = driver.children()[-1]
        stopped.send_signal(signal.SIGSTOP)
    else:
        driver.let_run(patience)
    driver.kill()
    wait_until(lambda: not driver.members(), "the driver's children are gone")
    wait_until(lambda: not corner.left_over(), f"{corner.left_over()} are gone")
    for port in ports:
        assert loopback.is_free(int(port))
