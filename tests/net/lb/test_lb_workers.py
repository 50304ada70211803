"""Several processes on one port, and what a restart of the balancer forgets."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import h11
import pytest

if TYPE_CHECKING:
    from tests.net.lb.conftest import Backend, Lb, OpenBackend, Peer, Seen, StartLb


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    if sys.platform != "linux":
        return True
    with suppress(OSError), open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123 - no file, the kernel's word
        return stat.read().rpartition(")")[2].split()[0] != "Z"
    return False


async def until_gone(pids: list[int]) -> None:
    async with asyncio.timeout(10):
        while any(alive(pid) for pid in pids):
            await asyncio.sleep(0.02)


async def start(start_lb: StartLb, *backends: Backend, flags: list[str]) -> tuple[Lb, list[int]]:
    """Two workers that know all servers to be up."""
    lb = await start_lb(*backends, flags=["--workers", "2", *flags], up=False)
    workers = lb.said["workers"]
    for worker in workers:
        lb.said["admin_port"] = worker["admin_port"]
        for backend in backends:
            await lb.until(backend.name, "up")
    return lb, [worker["pid"] for worker in workers]


async def requests_of(lb: Lb) -> list[int]:
    counts = []
    for worker in lb.said["workers"]:
        lb.said["admin_port"] = worker["admin_port"]
        counts.append((await lb.counters())["requests"])
    return counts


@pytest.mark.parametrize("sticky", ["cookie", "hash"])
async def test_a_tie_means_the_same_to_every_worker(
    start_lb: StartLb, backend: OpenBackend, sticky: str
) -> None:
    servers = [await backend(f"s{n}") for n in range(1, 4)]
    lb, pids = await start(start_lb, *servers, flags=["--sticky", sticky])
    assert lb.process.pid not in pids
    assert len(set(pids)) == 2
    for name in ("s1", "s2", "s3"):
        tie = f"LABSRV={name}" if sticky == "cookie" else f"cart_sid={name}"
        homes = {(await lb.get(Cookie=tie))["x-lab-server"] for _ in range(20)}
        assert len(homes) == 1
        assert sticky == "hash" or homes == {name}
    counts = await requests_of(lb)
    assert sum(counts) == 60
    assert all(counts), "the kernel gave them all to one"


def test_learn_with_workers_is_refused_with_the_reason() -> None:
    flags = [sys.executable, "-m", "lb", "--workers", "2", "--sticky", "learn"]
    ended = subprocess.run(flags, capture_output=True, text=True, timeout=20, check=False)
    assert ended.returncode == 2
    assert "known to one of them and a stranger to the others" in re.sub(r"\s+", " ", ended.stderr)


async def test_a_stop_finishes_what_every_worker_has_in_flight(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    s1 = await backend("s1")
    lb, pids = await start(start_lb, s1, flags=[])
    may_answer = asyncio.Event()

    async def script(peer: Peer, seen: Seen) -> None:
        await may_answer.wait()
        await peer.answer(b"finished")

    s1.script = script
    asked = [asyncio.ensure_future(lb.get()) for _ in range(12)]
    async with asyncio.timeout(10):
        while len(s1.seen) < 12:
            await asyncio.sleep(0.01)
    lb.process.send_signal(signal.SIGTERM)
    with suppress(ConnectionError):
        async with asyncio.timeout(10):
            while True:
                (await lb.wire()).close()
                await asyncio.sleep(0.01)
    may_answer.set()
    assert {answer.body for answer in await asyncio.gather(*asked)} == {b"finished"}
    assert await lb.ended() == 0
    await until_gone(pids)


async def test_a_stop_that_had_to_cut_a_client_off_says_so(start_lb: StartLb, backend: OpenBackend) -> None:
    s1 = await backend("s1")
    lb, _ = await start(start_lb, s1, flags=["--hard-stop-after", "0.2"])

    async def never(peer: Peer, seen: Seen) -> None:
        await peer.reader.read()

    s1.script = never
    asked = asyncio.ensure_future(lb.get())
    async with asyncio.timeout(10):
        while not s1.seen:
            await asyncio.sleep(0.01)
    assert await lb.stop() == 1
    with pytest.raises((h11.RemoteProtocolError, EOFError, ConnectionError)):
        await asked


async def test_workers_end_when_their_parent_is_killed(start_lb: StartLb, backend: OpenBackend) -> None:
    lb, pids = await start(start_lb, await backend("s1"), flags=[])
    lb.process.kill()
    await lb.ended()
    await until_gone(pids)


async def test_all_end_when_one_ends_unasked(start_lb: StartLb, backend: OpenBackend) -> None:
    lb, pids = await start(start_lb, await backend("s1"), flags=[])
    os.kill(pids[0], signal.SIGKILL)
    assert await lb.ended() == 1
    await until_gone(pids)
    assert f"worker {pids[0]} ended unasked with -9" in await lb.complaint()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_worker_that_cannot_begin_ends_all_with_its_code(workers: str) -> None:
    flags = ["--listen", "127.0.0.1:0", "--workers", workers, "--log", "/nowhere/at/all"]
    ended = subprocess.run(
        [sys.executable, "-m", "lb", *flags], capture_output=True, text=True, timeout=20, check=False
    )
    assert (ended.returncode, ended.stdout) == (4, "")
    assert "cannot write the request log" in ended.stderr


@pytest.mark.parametrize(("sticky", "kept"), [("cookie", True), ("hash", True), ("learn", False)], ids=str)
async def test_c18_l05_a_restart_of_the_balancer_forgets_what_was_learned_and_nothing_else(
    start_lb: StartLb, backend: OpenBackend, sticky: str, *, kept: bool
) -> None:
    servers = [await backend(f"s{n}") for n in range(1, 4)]
    flags = ("--sticky", sticky)
    before = await start_lb(*servers, flags=flags)
    shoppers: list[tuple[str, str | None]] = []
    for _ in range(9):
        answer = await before.get()
        cookie = "; ".join(line.partition(";")[0] for line in answer.all("set-cookie"))
        shoppers.append((cookie, (await before.get(Cookie=cookie))["x-lab-server"]))
    assert await before.stop() == 0
    after = await start_lb(*servers, flags=flags)
    await after.get()  # so that the turns are not by chance the same again
    stayed = [(await after.get(Cookie=cookie))["x-lab-server"] == home for cookie, home in shoppers]
    assert all(stayed) is kept
