"""The request log: one line a request that says how it ended, whoever ended it."""

from __future__ import annotations

import asyncio
import json
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.net.lb.conftest import Backend, Lb, OpenBackend, Peer, Seen, StartLb

GET = b"GET /cart?x=1 HTTP/1.1\r\nHost: shop\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 5\r\n\r\nhello"
BLIND = ("--inter", "60", "--fastinter", "60", "--fall", "99")


class Log:
    def __init__(self, path: Path) -> None:
        self._path = path
        self.flags = ("--log", str(path), "--sticky", "cookie")

    async def entries(self, number: int) -> list[dict[str, Any]]:
        """The lines, as soon as there are ``number``; never more."""
        async with asyncio.timeout(10):
            while len(found := self._path.read_text().splitlines()) < number:
                await asyncio.sleep(0.02)
        assert len(found) == number
        return [json.loads(line) for line in found]


@pytest.fixture(name="log")
def _log(tmp_path: Path) -> Log:
    return Log(tmp_path / "requests.jsonl")


async def test_a_line_says_who_answered_what_how_fast_and_for_which_session(
    start_lb: StartLb, backend: OpenBackend, log: Log
) -> None:
    s1 = await backend("s1")
    lb = await start_lb(s1, flags=log.flags)
    await lb.get("/cart?x=1", Cookie="cart_sid=secret; LABSRV=s1")
    (line,) = await log.entries(1)
    ms = line.pop("ms")
    assert 0 <= ms["connect"] <= ms["total"]
    assert 0 <= ms["response"] <= ms["total"]
    assert line.pop("at") > 1_700_000_000
    assert line == {
        "client": "127.0.0.1",
        "method": "GET",
        "target": "/cart?x=1",
        "status": 200,
        "server": "s1",
        "tries": 1,
        "session": sha256(b"secret").hexdigest()[:12],
        "state": "--VN",
        "moved_from": None,
        "cause": None,
    }


async def test_a_move_is_seen_with_its_cause(start_lb: StartLb, backend: OpenBackend, log: Log) -> None:
    s1, s2 = await backend("s1"), await backend("s2")
    lb = await start_lb(s1, s2, flags=(*log.flags, *BLIND))
    s1.close()
    await lb.get(Cookie="LABSRV=s1")
    (line,) = await log.entries(1)
    assert (line["server"], line["tries"], line["state"]) == ("s2", 2, "--DI")
    assert (line["moved_from"], line["cause"]) == ("s1", "connection_refused")


async def reset(peer: Peer, seen: Seen) -> None:
    await peer.body(seen)
    peer.reset()


async def hang(peer: Peer, seen: Seen) -> None:
    await peer.reader.read()


async def babble(peer: Peer, seen: Seen) -> None:
    await peer.send(b"hello there\r\n\r\n")


async def tear(peer: Peer, seen: Seen) -> None:
    await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome")
    peer.writer.close()


async def stall(peer: Peer, seen: Seen) -> None:
    await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome")
    await peer.reader.read()


@pytest.mark.parametrize(
    ("script", "data", "end", "status"),
    [
        (reset, POST, "SH", 502),
        (hang, GET, "sH", 504),
        (babble, GET, "PH", 502),
        (tear, GET, "SD", 200),
        (stall, GET, "sD", 200),
        (None, POST[:-1], "cR", 408),
        (None, b"POST / HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "PC", 400),
        (None, b"GET / HTTP/1.1\r\n\r\n", "PR", 400),
        (None, b"GET / HTTP/1.1\r\nHos", "cR", 408),
    ],
    ids=[
        "reset",
        "silent",
        "no-HTTP",
        "torn",
        "stalled",
        "slow-body",
        "bad-chunk",
        "no-request",
        "slow-head",
    ],
)
async def test_the_first_two_letters_say_who_ended_it_in_which_phase(
    start_lb: StartLb, backend: OpenBackend, log: Log, script: Any, data: bytes, end: str, status: int
) -> None:
    s1 = await backend("s1")
    limits = ("--response-timeout", "0.3", "--body-timeout", "0.3", "--head-timeout", "0.3")
    lb = await start_lb(s1, flags=(*log.flags, *limits))
    s1.script = script
    wire = await lb.wire()
    await wire.send(data)
    (line,) = await log.entries(1)
    assert (line["state"][:2], line["status"]) == (end, status)


async def test_without_a_server_it_is_the_servers_side_that_ended_it(
    start_lb: StartLb, backend: OpenBackend, log: Log
) -> None:
    s1 = await backend("s1")
    lb = await start_lb(flags=log.flags)
    await lb.get()
    s1.close()
    await lb.put("s1", address=s1.address)
    await lb.get()
    lines = await log.entries(2)
    assert {(line["state"], line["status"], line["server"]) for line in lines} == {("SCNN", 503, None)}


async def in_flight(lb: Lb, s1: Backend) -> None:
    arrived = asyncio.Event()

    async def arrive(peer: Peer, seen: Seen) -> None:
        arrived.set()
        await peer.reader.read()

    s1.script = arrive
    await (await lb.wire()).send(GET)
    await arrived.wait()


async def test_a_client_that_left_is_told_from_one_that_was_cut_off(
    start_lb: StartLb, backend: OpenBackend, log: Log
) -> None:
    s1 = await backend("s1")
    lb = await start_lb(s1, flags=(*log.flags, "--hard-stop-after", "0.2"))
    await in_flight(lb, s1)
    lb.wires[-1].close()
    (line,) = await log.entries(1)
    assert (line["state"], line["status"]) == ("CHNN", None)
    await in_flight(lb, s1)
    assert await lb.stop() == 1
    line = (await log.entries(2))[-1]
    assert (line["state"], line["status"]) == ("KHNN", None)


async def test_every_request_has_its_line_when_the_program_has_ended(
    start_lb: StartLb, backend: OpenBackend, log: Log
) -> None:
    s1 = await backend("s1")
    lb = await start_lb(s1, flags=log.flags)
    wire = await lb.wire()
    for number in range(100):
        await wire.get(f"/{number}")
    wire.close()
    assert await lb.stop() == 0
    assert [line["target"] for line in await log.entries(100)] == [f"/{number}" for number in range(100)]


async def test_standard_error_takes_the_log_too(start_lb: StartLb, backend: OpenBackend) -> None:
    s1 = await backend("s1")
    lb = await start_lb(s1, flags=("--log", "-"))
    await lb.get("/here")
    assert await lb.stop() == 0
    (line,) = [line for line in (await lb.complaint()).splitlines() if line.startswith("{")]
    assert (json.loads(line)["target"], json.loads(line)["state"]) == ("/here", "----")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is always full: Linux has one")
async def test_a_full_disk_costs_lines_of_the_log_and_no_request(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    s1 = await backend("s1")
    lb = await start_lb(s1, flags=("--log", "/dev/full"))
    for _ in range(3):
        assert (await lb.get()).status == 200
    assert await lb.stop() == 0
    assert (await lb.complaint()).count("the request log cannot be written") == 1
