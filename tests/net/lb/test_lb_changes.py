"""Servers that come, go, flap, drain and die while clients are at it."""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.net.lb.conftest import Lb, OpenBackend, Peer, Seen, StartLb

COOKIE = ("--sticky", "cookie")
YES = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
SWITCH = b"GET /ws HTTP/1.1\r\nHost: shop\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


@pytest.mark.parametrize("sticky", ["cookie", "learn", "hash"])
async def test_f13_a_flapping_server_moves_a_session_once_and_a_hashed_one_once_a_change(
    start_lb: StartLb, backend: OpenBackend, sticky: str
) -> None:
    """``rise`` and ``fall`` bound the flapping; a tie that has moved does not even follow that."""
    servers = {name: await backend(name) for name in ("s1", "s2")}
    flags = ("--sticky", sticky, "--fastinter", "0.05", "--fall", "2")
    lb = await start_lb(*servers.values(), flags=flags)
    jar = {} if sticky == "learn" else {"cart_sid": "a"}
    homes: list[str | None] = []

    async def ask() -> None:
        answer = await lb.get(**({"Cookie": "; ".join(f"{k}={v}" for k, v in jar.items())} if jar else {}))
        jar.update(line.partition(";")[0].split("=", 1) for line in answer.all("set-cookie"))  # type: ignore[misc]  # pairs
        homes.append(answer["x-lab-server"])

    await ask()
    flapping = servers[str(homes[0])]
    for ready, state in (("503 No", "down"), ("200 OK", "up")) * 3:
        flapping.ready = ready
        await lb.until(flapping.name, state)
        for _ in range(5):
            await ask()
    moves = sum(before != after for before, after in pairwise(homes))
    assert moves == (6 if sticky == "hash" else 1), homes


async def test_f14_answers_of_503_are_passed_on_and_not_asked_for_again(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    servers = [await backend(f"s{n}") for n in (1, 2, 3)]
    lb = await start_lb(*servers)

    async def refuse(peer: Peer, seen: Seen) -> None:
        await peer.answer(b"full", status="503 Service Unavailable")

    for server in servers:
        server.script = refuse
    assert {(await lb.get(f"/{number}")).status for number in range(30)} == {503}
    assert sum(len(server.seen) for server in servers) == 30


async def test_d02_a_draining_server_runs_empty(start_lb: StartLb, backend: OpenBackend) -> None:
    lb = await start_lb(await backend("s1"), flags=("--sticky", "learn", "--session-ttl", "0.5"))
    cookie = str((await lb.get())["set-cookie"]).partition(";")[0]
    await lb.put("s1", state="drain")
    assert (await lb.get(Cookie=cookie)).status == 200
    assert (await lb.server("s1"))["sessions"] == 1
    async with asyncio.timeout(10):
        while (server := await lb.server("s1"))["sessions"]:
            await asyncio.sleep(0.05)
    assert (server["state"], server["active"]) == ("draining", 0)
    assert (await lb.get(Cookie=cookie)).status == 503


@pytest.mark.parametrize("sticky", ["cookie", "learn"])
async def test_d06_weights_divide_new_sessions_while_a_hundred_tied_requests_hit_one_server(
    start_lb: StartLb, backend: OpenBackend, sticky: str
) -> None:
    servers = [await backend(f"s{n}") for n in (1, 2, 3, 4)]
    lb = await start_lb(*servers, flags=("--sticky", sticky))
    for weight, server in enumerate(servers, 1):
        await lb.put(server.name, weight=weight)
    answer = await lb.get()
    tie = "; ".join(line.partition(";")[0] for line in answer.all("set-cookie"))
    wire = await lb.wire()
    got: Counter[str | None] = Counter()
    for number in range(10):
        for _ in range(10):
            assert (await wire.get(Cookie=tie))["x-lab-server"] == answer["x-lab-server"]
        got[(await lb.get(f"/{number}"))["x-lab-server"]] += 1
    assert all(abs(got[server.name] - weight) <= 1 for weight, server in enumerate(servers, 1)), got


async def test_d06_weight_zero_is_a_drain(start_lb: StartLb, backend: OpenBackend) -> None:
    lb = await start_lb(await backend("s1"), await backend("s2"), flags=COOKIE)
    await lb.put("s1", weight=0)
    assert {(await lb.get())["x-lab-server"] for _ in range(6)} == {"s2"}
    assert (await lb.get(Cookie="LABSRV=s1"))["x-lab-server"] == "s1"


async def test_d05_a_server_that_is_back_gets_new_sessions_and_takes_nobody_away(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    lb = await start_lb(await backend("s1"), await backend("s2"), flags=COOKIE)
    await lb.put("s1", state="maintenance")
    assert "LABSRV=s2" in str((await lb.get(Cookie="LABSRV=s1")).all("set-cookie"))
    await lb.put("s1", state="ready")
    await lb.until("s1", "up")
    assert {(await lb.get(Cookie="LABSRV=s2"))["x-lab-server"] for _ in range(4)} == {"s2"}
    assert {(await lb.get())["x-lab-server"] for _ in range(4)} == {"s1", "s2"}


async def test_d08_a_removed_server_finishes_its_download_and_its_tunnel(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    s1 = await backend("s1")
    lb = await start_lb(s1)
    began, removed = asyncio.Event(), asyncio.Event()

    async def script(peer: Peer, seen: Seen) -> None:
        if seen.target == "/ws":
            await peer.send(YES)
            while data := await peer.reader.read(100):
                await peer.send(data)
            return
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst")
        began.set()
        await removed.wait()
        await peer.send(b" last")

    s1.script = script
    tunnel = await lb.wire()
    await tunnel.send(SWITCH)
    async with asyncio.timeout(10):
        await tunnel.reader.readuntil(b"\r\n\r\n")
    download = asyncio.ensure_future(lb.get("/file"))
    await began.wait()
    assert (await lb.api("DELETE", "/servers/s1"))[0] == 204
    removed.set()
    assert (await download).body == b"first last"
    await tunnel.send(b"still here")
    async with asyncio.timeout(10):
        assert await tunnel.reader.readexactly(10) == b"still here"
    assert (await lb.get()).status == 503


async def test_d09_a_drain_does_not_outlive_the_balancer(start_lb: StartLb, backend: OpenBackend) -> None:
    s1 = await backend("s1")
    before = await start_lb(s1)
    await before.put("s1", state="drain")
    assert await before.stop() == 0
    assert (await (await start_lb(s1)).server("s1"))["state"] == "up"


async def test_r03_a_server_that_joins_under_load_moves_no_cookie_and_fails_nobody(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    lb = await start_lb(await backend("s1"), await backend("s2"), flags=COOKIE)
    stop = asyncio.Event()
    seen: set[tuple[int, str | None, str | None]] = set()

    async def shop(home: str) -> None:
        wire = await lb.wire()
        while not stop.is_set():
            answer = await wire.get(Cookie=f"cart_sid=x; LABSRV={home}")
            seen.add((answer.status, answer["x-lab-server"], answer["set-cookie"]))

    shoppers = [asyncio.ensure_future(shop(home)) for home in ("s1", "s2") * 4]
    s3 = await backend("s3")
    await lb.put("s3", address=s3.address)
    await lb.until("s3", "up")
    assert "s3" in {(await lb.get())["x-lab-server"] for _ in range(6)}
    stop.set()
    await asyncio.gather(*shoppers)
    assert seen == {(200, "s1", None), (200, "s2", None)}


async def busy(lb: Lb, count: int) -> list[asyncio.Task[str | None]]:
    async def one() -> str | None:
        return (await lb.get("/slow"))["x-lab-server"]

    return [asyncio.ensure_future(one()) for _ in range(count)]


async def test_q01_leastconn_fills_the_least_busy_and_takes_turns_among_equals(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    servers = [await backend(f"s{n}") for n in (1, 2, 3)]
    lb = await start_lb(*servers, flags=("--balance", "leastconn"))
    go_on = asyncio.Event()

    async def script(peer: Peer, seen: Seen) -> None:
        if seen.target == "/slow":
            await go_on.wait()
        await peer.answer(b"")

    for server in servers:
        server.script = script
    idle = {(await lb.get())["x-lab-server"] for _ in range(3)}
    waiting = await busy(lb, 6)
    async with asyncio.timeout(10):
        while sum(len([seen for seen in server.seen if seen.target == "/slow"]) for server in servers) < 6:
            await asyncio.sleep(0.01)
    go_on.set()
    assert Counter([await task for task in waiting]) == {"s1": 2, "s2": 2, "s3": 2}
    assert idle == {"s1", "s2", "s3"}


async def test_q05_round_robin_owes_nothing_to_a_server_that_was_away(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    lb = await start_lb(*[await backend(f"s{n}") for n in (1, 2, 3)])
    await lb.put("s1", state="maintenance")
    for _ in range(20):
        await lb.get()
    await lb.put("s1", state="ready")
    await lb.until("s1", "up")
    got = Counter([(await lb.get())["x-lab-server"] for _ in range(9)])
    assert got == {"s1": 3, "s2": 3, "s3": 3}
