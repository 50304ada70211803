"""Clients that mean harm: slow on purpose, or gone at the worst moment."""

from __future__ import annotations

import asyncio
import random
import shutil
import socket
import struct
from contextlib import asynccontextmanager, suppress
from statistics import median
from typing import TYPE_CHECKING

import psutil
import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.net.lb.conftest import Backend, Lb, OpenBackend, Peer, Seen, StartLb

MIB = 1 << 20
#: Connections of an attack. Fewer that do not read: the kernel alone takes in megabytes for each, at the
#: cost of whoever sends, and that would be what is measured (HAProxy's bystanders wait just as long).
SLOW = {"header": 300, "body": 300, "read": 60}
ABORTS = 10_000
#: The three attacks of slowhttptest: heads and bodies that trickle, answers that are hardly read.
ATTACKS = {
    "header": ["-H", "-i", "1", "-x", "24"],
    "body": ["-B", "-i", "3", "-s", "8192", "-x", "24", "-t", "POST"],
    "read": ["-X", "-w", "256", "-y", "512", "-n", "1", "-z", "32", "-k", "1"],
}
#: How long the balancer puts up with each of them, far below the tool's patience. A check that comes late
#: says nothing here: the server, the attacker and the balancer share two cores.
PATIENCE = ("--head-timeout", "2", "--body-timeout", "2", "--response-timeout", "9", "--fall", "99")


@asynccontextmanager
async def attacking(lb: Lb, how: str) -> AsyncIterator[None]:
    program = shutil.which("slowhttptest")
    if program is None:
        pytest.skip("no slowhttptest on PATH (Debian, Ubuntu: apt-get install slowhttptest)")
    count = ["-c", str(SLOW[how]), "-r", str(SLOW[how]), "-l", "12", "-p", "5"]
    process = await asyncio.create_subprocess_exec(
        program, *ATTACKS[how], *count, "-u", f"http://127.0.0.1:{lb.port}/{how}",
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with asyncio.timeout(10):
            while (await lb.counters())["connections"] < SLOW[
                how
            ] / 4:  # they build up while others are served
                await asyncio.sleep(0.02)
        yield
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def large(peer: Peer, seen: Seen) -> None:
    if seen.target == "/read":
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (4 * MIB))
        for _ in range(64):
            await peer.send(bytes(MIB // 16))
    else:
        await peer.answer(await peer.body(seen))


@pytest.mark.parametrize("how", ATTACKS)
async def test_t01_t02_t03_a_slow_attack_delays_nobody_and_costs_little(
    start_lb: StartLb, backend: OpenBackend, how: str
) -> None:
    s1 = await backend("s1")
    lb = await start_lb(s1, flags=PATIENCE)
    s1.script = large
    process = psutil.Process(lb.process.pid)
    before = process.memory_info().rss
    loop = asyncio.get_running_loop()
    took: list[float] = []
    grown = 0
    async with attacking(lb, how):
        await lb.get("/bystander")
        while len(took) < 50:
            began = loop.time()
            assert (await lb.get("/bystander")).status == 200
            took.append(loop.time() - began)
            grown = max(grown, process.memory_info().rss - before)
            await asyncio.sleep(0.02)
        async with asyncio.timeout(15):
            while (await lb.counters())["connections"] > 1:  # given up, although the tool still holds on
                await asyncio.sleep(0.05)
    print(f"{how}: median {median(took):.4f} s, worst {max(took):.4f} s, {grown / MIB:.1f} MiB")  # noqa: T201
    assert median(took) < 0.1
    assert max(took) < 2
    assert grown < SLOW[how] * MIB / 2, "of up to 4 MiB that wait to be read by each"
    if how != "read":
        assert (await lb.counters())["responses"]["4xx"] >= SLOW[how] * 0.9, "each was told 408"


GET = b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 100000\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"
LARGE = b"GET /read HTTP/1.1\r\nHost: shop\r\n\r\n"
SWITCH = b"GET /ws HTTP/1.1\r\nHost: shop\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
#: What is sent before the abort, and how many bytes are awaited first.
PHASES = [
    (b"", 0), (GET[:20], 0), (GET, 0), (GET, 1), (GET * 5, 1), (POST + bytes(5000), 0), (CHUNKED, 0),
    (LARGE, 0), (LARGE, 1), (SWITCH, 0), (SWITCH, 1), (SWITCH + b"hello", 120), (b"\0 no HTTP\r\n\r\n", 1),
]  # fmt: skip


def abort(port: int, count: int, seed: int) -> None:
    """Connect, go some way, and vanish with a reset, ``count`` times."""
    dice = random.Random(seed)  # noqa: S311 - to be repeated with the same seed
    for _ in range(count):
        sent, awaited = dice.choice(PHASES)
        with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.sendall(sent[: dice.randint(0, len(sent))] if dice.random() < 0.2 else sent)
            client.settimeout(0.05)
            with suppress(TimeoutError, ConnectionError):
                while awaited > 0:
                    awaited -= len(client.recv(awaited)) or awaited


async def switch_or_answer(peer: Peer, seen: Seen) -> None:
    if seen.target == "/ws":
        await peer.send(
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        )
        while data := await peer.reader.read(1000):
            await peer.send(data)
    elif seen.target == "/read":
        await peer.answer(bytes(200_000))
    else:
        await peer.answer(await peer.body(seen))


async def at_rest(lb: Lb, server: Backend) -> None:
    async with asyncio.timeout(15):
        while (await lb.counters())["connections"] or (await lb.server(server.name))["active"]:
            await asyncio.sleep(0.05)


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_t06_ten_thousand_aborts_leave_nothing_behind(start_lb: StartLb, backend: OpenBackend) -> None:
    s1 = await backend("s1")
    lb = await start_lb(s1, flags=("--server-idle-timeout", "0.2", "--sticky", "learn"))
    s1.script = switch_or_answer
    process = psutil.Process(lb.process.pid)

    async def aborts(count: int) -> None:
        await asyncio.gather(
            *(asyncio.to_thread(abort, lb.port, count // 4, seed) for seed in range(count, count + 4))
        )
        await at_rest(lb, s1)

    await aborts(400)  # what is allocated once is allocated now
    fds, threads, rss = process.num_fds(), process.num_threads(), process.memory_info().rss
    await aborts(ABORTS)
    async with asyncio.timeout(15):
        while process.num_fds() > fds:
            await asyncio.sleep(0.05)
    assert process.num_threads() <= threads
    assert process.memory_info().rss - rss < 8 * MIB
    assert (await lb.get()).status == 200
