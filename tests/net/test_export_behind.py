"""The same site behind HAProxy and nginx: the same lesson, the same commands, and nothing left over."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import psutil
import pytest

from lab.cluster.errors import ChildLost
from lab.cluster.family import Family
from lab.cluster.processes import open_sites
from lab.topology import behind, sticky_arm
from lab.workload.client import Door

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from lab.cluster.processes import ProcessSite

    Corner = Any  # the fixture's type lives in a conftest, which nobody can import
    WaitUntil = Callable[..., None]

ADD = {"item": "MacBook Pro", "price": 2500}
DRIVER = """
import asyncio, sys
from pathlib import Path
from lab.cluster.family import Family
from lab.cluster.processes import open_sites
from lab.topology import behind, stateless_arm, sticky_arm

async def main(folder, lb):
    arms = [behind(sticky_arm(2), lb)]
    async with Family("run", "test", folder) as family, open_sites(arms, family):
        print("ready", flush=True)
        await asyncio.Event().wait()

asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
"""


@pytest.fixture(name="lb", params=["haproxy", "nginx"])
def _lb(request: pytest.FixtureRequest) -> str:
    name = str(request.param)
    if not (shutil.which(name) or Path(f"/usr/sbin/{name}").exists()):
        pytest.skip(f"no {name} on PATH (Debian, Ubuntu: apt-get install {name})")
    return name


@asynccontextmanager
async def site_behind(lb: str, folder: Path) -> AsyncIterator[ProcessSite]:
    arm = behind(sticky_arm(2), lb)
    async with Family("run", "test", folder) as family, open_sites([arm], family) as sites:
        yield sites[arm.name]


def processes_of(lb: str, folder: Path) -> list[psutil.Process]:
    """Its processes that were started with a configuration in ``folder``."""
    found = []
    for process in psutil.process_iter(["name", "cmdline"]):
        words = process.info["cmdline"] or []
        if process.info["name"] == lb and any(str(folder) in word for word in words):
            found.append(process)
    return found


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_the_lesson_is_not_our_balancers_fault(lb: str, corner: Corner) -> None:
    words = ("crash", "--lb", lb, "--fast", "--no-input", "--json", "--shoppers", "60", "--seed", "11")
    done = corner.cartlab("run", *words)
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    lost = {name: arm["ledger"]["carts"]["lost"] for name, arm in results["arms"].items()}
    assert lost["sticky"] > 0
    assert lost["stateless"] == 0
    assert {arm["topology"]["balance"] for arm in results["arms"].values()} == {f"{lb} roundrobin"}
    assert f"--lb {lb}" in results["repeat"]
    assert not corner.left_over()


async def test_a_shopper_stays_moves_with_a_crash_and_stays_again(
    lb: str, corner: Corner, tmp_path: Path
) -> None:
    async with site_behind(lb, tmp_path) as site, Door(site.front.url) as door, door.person() as shopper:
        home = (await shopper.post("/cart/add", ADD)).json["serverId"]
        assert {(await shopper.get("/cart")).json["serverId"] for _ in range(8)} == {home}
        await site.kill(home)
        moved = await shopper.get("/cart")
        assert moved.status == 200
        assert moved.json["serverId"] != home
        assert moved.headers["X-Lab-Moved-From"] == home
        await site.start(home)
        stays = [await shopper.get("/cart") for _ in range(8)]
        assert {answer.json["serverId"] for answer in stays} == {moved.json["serverId"]}
        assert not any(answer.headers.get("X-Lab-Moved-From") for answer in stays)
    assert not corner.left_over()


async def test_strangers_reach_a_server_that_came_back_on_another_port(
    lb: str, corner: Corner, tmp_path: Path
) -> None:
    async with site_behind(lb, tmp_path) as site, Door(site.front.url) as door:
        before = site.servers["server-1"].address
        await site.kill("server-1")
        await site.start("server-1")
        assert site.servers["server-1"].address != before
        answers = []
        for _ in range(8):
            async with door.person() as stranger:
                answers.append((await stranger.get("/cart")).json["serverId"])
        assert set(answers) == {"server-1", "server-2"}


async def test_no_request_fails_once_the_site_is_called_open(lb: str, corner: Corner, tmp_path: Path) -> None:
    async def one(door: Door) -> int:
        async with door.person() as stranger:
            return (await stranger.post("/cart/add", ADD)).status

    async with site_behind(lb, tmp_path) as site, Door(site.front.url) as door:
        assert set(await asyncio.gather(*(one(door) for _ in range(60)))) == {200}


async def test_a_balancer_that_dies_ends_the_run(lb: str, corner: Corner, tmp_path: Path) -> None:
    async def look_on() -> None:
        async with site_behind(lb, tmp_path):
            for process in processes_of(lb, tmp_path):
                process.send_signal(signal.SIGKILL)
            await asyncio.Event().wait()

    with pytest.raises(ChildLost, match="sticky-lb"):
        await look_on()
    assert not processes_of(lb, tmp_path)


async def test_its_cpu_is_what_is_shown_and_not_that_of_who_speaks_for_it(
    lb: str, corner: Corner, tmp_path: Path
) -> None:
    async with site_behind(lb, tmp_path) as site:
        load = site.balancer_load()
        assert load
        # A Python process takes more than that by itself.
        assert 0 < load.memory < 40_000_000 * len(processes_of(lb, tmp_path))


def test_nothing_outlives_a_driver_that_was_killed(
    lb: str, corner: Corner, tmp_path: Path, wait_until: WaitUntil
) -> None:
    driver = corner.run(DRIVER, str(tmp_path), lb)
    driver.says("ready")
    assert processes_of(lb, tmp_path)
    driver.kill()
    wait_until(lambda: not processes_of(lb, tmp_path), f"{lb} is gone with its driver")
    wait_until(lambda: not driver.children(), "all others are gone as well")


def begun_session(front: str) -> tuple[str, str]:
    """The cookie of somebody with something in the cart, and the server that has it."""
    answer = httpx.post(f"{front}/cart/add", json=ADD, trust_env=False)
    return answer.cookies["cart_sid"], answer.json()["serverId"]


def tells_of(corner: Corner, cookie: str, home: str) -> bool:
    return f"{home} holds session" in corner.cartlab("where", cookie).stdout


@pytest.mark.timeout(90)
def test_a_standing_site_is_asked_and_ended_like_any_other(
    lb: str, corner: Corner, wait_until: WaitUntil
) -> None:
    up = corner.cartlab("up", "--mode", "sticky", "--lb", lb, "--port", "0", "--admin-port", "0")
    assert up.returncode == 0, up.stderr
    assert f"Its balancer, {lb}," in up.stdout
    status = corner.cartlab("status", "--json")
    (site,) = json.loads(status.stdout)["sites"]
    assert {server["state"] for server in site["servers"]} == {"up"}
    cookie, home = begun_session(site["front"])
    wait_until(lambda: tells_of(corner, cookie, home) or lb == "nginx", "the session's server is told")
    if lb == "nginx":
        told = corner.cartlab("where", cookie)
        assert (told.returncode, "keeps no list" in told.stdout) == (3, True)
    assert corner.cartlab("down").returncode == 0
    assert not corner.left_over()
