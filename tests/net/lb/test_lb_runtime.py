"""Changes while it runs: whoever is not concerned notices nothing, and who is told to end ends at once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import h11
import pytest

if TYPE_CHECKING:
    from tests.net.lb.conftest import Backend, Lb, OpenBackend, Peer, Seen, StartLb, Wire

PIECE = b"x" * 65536
UPGRADE = b"Connection: upgrade\r\nUpgrade: websocket\r\n\r\n"


class Download:
    """A long answer of one server, sent piece by piece when the test says so."""

    def __init__(self, server: Backend, pieces: int) -> None:
        self.began = asyncio.Event()
        self.go_on = asyncio.Event()
        self._pieces = pieces
        server.script = self._answer

    async def _answer(self, peer: Peer, _: Seen) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(PIECE) * self._pieces}\r\n\r\n"
        await peer.send(head.encode() + PIECE)
        self.began.set()
        await self.go_on.wait()
        left = self._pieces - 1
        while left:
            await peer.send(PIECE)
            left -= 1


async def start(start_lb: StartLb, backend: OpenBackend) -> tuple[Lb, Backend, Backend]:
    s1, s2 = await backend("s1"), await backend("s2")
    return await start_lb(s1, s2, flags=("--sticky", "cookie")), s1, s2


ACTS: dict[str, tuple[str, str, Any]] = {
    "add": ("PUT", "/servers/s3", {"address": "127.0.0.1:9"}),
    "weigh": ("PUT", "/servers/{}", {"weight": 7}),
    "drain": ("PUT", "/servers/{}", {"state": "drain"}),
    "maintain": ("PUT", "/servers/{}", {"state": "maintenance"}),
    "re-address": ("PUT", "/servers/{}", {"address": "127.0.0.1:9"}),
    "remove": ("DELETE", "/servers/{}", None),
}


@pytest.mark.parametrize("server", ["s1", "s2"], ids=["another", "the-same"])
@pytest.mark.parametrize("act", ACTS)
async def test_d08_a_long_download_survives_every_change(
    start_lb: StartLb, backend: OpenBackend, act: str, server: str
) -> None:
    lb, _, s2 = await start(start_lb, backend)
    download = Download(s2, pieces=40)
    in_flight = asyncio.ensure_future(lb.get(Cookie="LABSRV=s2"))
    await download.began.wait()
    method, path, wanted = ACTS[act]
    status, _ = await lb.api(method, path.format(server), wanted)
    assert status in (200, 204)
    download.go_on.set()
    answer = await in_flight
    assert (answer.status, answer.body) == (200, PIECE * 40)


async def test_shut_sessions_end_at_once_and_only_on_that_server(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    lb, s1, s2 = await start(start_lb, backend)
    ended, kept = Download(s1, pieces=40), Download(s2, pieces=40)
    cut = asyncio.ensure_future(lb.get(Cookie="LABSRV=s1"))
    whole = asyncio.ensure_future(lb.get(Cookie="LABSRV=s2"))
    await ended.began.wait()
    await kept.began.wait()
    status, told = await lb.api("POST", "/servers/s1/shutdown-sessions")
    assert (status, told) == (200, {"ended": 1, "forgotten": 0})
    with pytest.raises((h11.RemoteProtocolError, ConnectionResetError)):
        await cut
    kept.go_on.set()
    assert (await whole).body == PIECE * 40
    assert (await lb.server("s1"))["active"] == 0
    ended.go_on.set()
    s1.script = None
    assert (await lb.get(Cookie="LABSRV=s1"))["x-lab-server"] == "s1"


async def test_w04_shut_sessions_end_a_tunnel_that_drain_and_maintenance_left_alone(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    lb, s1, _ = await start(start_lb, backend)

    async def echo(peer: Peer, seen: Seen) -> None:
        await peer.send(b"HTTP/1.1 101 Switching Protocols\r\n" + UPGRADE)
        while data := await peer.reader.read(1000):
            await peer.send(data)

    s1.script = echo
    wire = await lb.wire()
    await wire.send(b"GET / HTTP/1.1\r\nHost: shop\r\nCookie: LABSRV=s1\r\n" + UPGRADE)
    await wire.reader.readuntil(b"\r\n\r\n")
    for state in ("drain", "maintenance"):
        await lb.put("s1", state=state)
        assert await echoed(wire) == b"ping"
    assert (await lb.api("POST", "/servers/s1/shutdown-sessions"))[1]["ended"] == 1
    assert await wire.rest() == b""
    assert (await lb.server("s1"))["active"] == 0


async def echoed(wire: Wire) -> bytes:
    await wire.send(b"ping")
    async with asyncio.timeout(10):
        return await wire.reader.readexactly(4)


async def test_learned_ties_are_forgotten_only_if_asked(start_lb: StartLb, backend: OpenBackend) -> None:
    s1, s2 = await backend("s1"), await backend("s2")
    lb = await start_lb(s1, s2, flags=("--sticky", "learn"))
    for _ in range(6):
        await lb.get()
    assert (await lb.api("POST", "/servers/s1/shutdown-sessions"))[1]["forgotten"] == 0
    assert (await lb.server("s1"))["sessions"] == 3
    assert (await lb.api("POST", "/servers/s1/shutdown-sessions?forget=1"))[1]["forgotten"] == 3
    assert [(await lb.server(name))["sessions"] for name in ("s1", "s2")] == [0, 3]
    for _ in range(4):
        assert (await lb.get()).status == 200
    assert (await lb.api("GET", "/sessions"))[1]["total"] == 7
    assert (await lb.api("POST", "/servers/s9/shutdown-sessions"))[0] == 404
