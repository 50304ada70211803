"""WebSockets: bytes both ways after a 101, and nothing that only looks like one."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.net.lb.conftest import Lb, OpenBackend, Peer, Seen, StartLb, Wire

SWITCH = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
ASK = b"GET /ws HTTP/1.1\r\nHost: shop\r\n" + SWITCH + b"Sec-WebSocket-Key: k\r\n\r\n"
YES = b"HTTP/1.1 101 Switching Protocols\r\n" + SWITCH + b"Sec-WebSocket-Accept: a\r\n\r\n"


async def echo(peer: Peer, seen: Seen) -> None:
    """Switch, and send back whatever comes until there is no more; then say goodbye."""
    await peer.send(YES)
    while data := await peer.reader.read(1 << 16):
        await peer.send(data)
    await peer.send(b"bye")
    peer.writer.close()


async def opened(lb: Lb, first: bytes = b"") -> tuple[Wire, bytes]:
    """A tunnel, and the head of its answer."""
    wire = await lb.wire()
    await wire.send(ASK + first)
    async with asyncio.timeout(10):
        return wire, await wire.reader.readuntil(b"\r\n\r\n")


async def said(wire: Wire, data: bytes) -> bytes:
    await wire.send(data)
    async with asyncio.timeout(10):
        return await wire.reader.readexactly(len(data))


async def test_w01_a_tunnel_passes_any_bytes_both_ways(start_lb: StartLb, backend: OpenBackend) -> None:
    s1 = await backend("s1")
    lb = await start_lb(s1)
    s1.script = echo
    wire, head = await opened(lb)
    assert head.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
    assert b"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" in head
    assert b"\r\nSec-WebSocket-Accept: a\r\n" in head
    (seen,) = s1.seen
    assert (seen.all("connection"), seen.all("upgrade")) == (["Upgrade"], ["websocket"])
    assert await said(wire, b"GET / HTTP/1.1\r\n\r\n") == b"GET / HTTP/1.1\r\n\r\n"
    large = bytes(range(256)) * 4096
    sending = asyncio.ensure_future(wire.send(large))
    async with asyncio.timeout(10):
        assert await wire.reader.readexactly(len(large)) == large
    await sending


async def test_w02_a_server_that_does_not_switch_answers_like_any_other(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    s1 = await backend("s1")
    lb = await start_lb(s1)
    wire = await lb.wire()
    for _ in range(2):
        await wire.send(ASK)
        assert (await wire.answer()).status == 200


async def test_w03_a_tunnel_is_tied_like_any_request(start_lb: StartLb, backend: OpenBackend) -> None:
    s1, s2 = await backend("s1"), await backend("s2")
    s1.script = s2.script = echo
    lb = await start_lb(s1, s2, flags=("--sticky", "cookie"))
    _, head = await opened(lb)
    assert head.count(b"Set-Cookie: LABSRV=s") == 1
    for server in (s1, s2, s1, s2):
        wire = await lb.wire()
        await wire.send(ASK.replace(b"Upgrade: w", b"Cookie: LABSRV=%b\r\nUpgrade: w" % server.name.encode()))
        head = await wire.reader.readuntil(b"\r\n\r\n")
        assert b"X-Lab-Server: " + server.name.encode() in head
        assert b"LABSRV" not in head


async def test_w04_drain_and_maintenance_leave_a_tunnel_alone(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    s1 = await backend("s1")
    lb = await start_lb(s1)
    s1.script = echo
    wire, _ = await opened(lb)
    assert (await lb.server("s1"))["active"] == 1
    for state in ("drain", "maintenance"):
        await lb.put("s1", state=state)
        assert await said(wire, b"still here") == b"still here"
    await wire.end()
    async with asyncio.timeout(10):
        while (await lb.server("s1"))["active"]:
            await asyncio.sleep(0.02)


async def test_w05_a_tunnel_lives_as_long_as_anything_passes(start_lb: StartLb, backend: OpenBackend) -> None:
    s1 = await backend("s1")
    lb = await start_lb(
        s1, flags=("--tunnel-timeout", "1", "--body-timeout", "0.1", "--response-timeout", "0.1")
    )
    s1.script = echo
    wire, _ = await opened(lb)
    loop = asyncio.get_running_loop()
    began = loop.time()
    while loop.time() < began + 1.5:
        assert await said(wire, b"ping") == b"ping"
        await asyncio.sleep(0.1)
    quiet = loop.time()
    assert await wire.rest() == b""
    assert 0.9 < loop.time() - quiet < 5


async def test_w06_a_client_that_says_no_more_still_hears_the_rest(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    s1 = await backend("s1")
    lb = await start_lb(s1)
    s1.script = echo
    wire, _ = await opened(lb)
    await wire.send(b"last words")
    wire.writer.write_eof()
    assert await wire.rest() == b"last wordsbye"
    assert (await lb.server("s1"))["active"] == 0


async def test_w07_bytes_that_came_with_the_request_are_not_lost(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    s1 = await backend("s1")
    lb = await start_lb(s1)
    s1.script = echo
    wire, _ = await opened(lb, first=b"eager")
    async with asyncio.timeout(10):
        assert await wire.reader.readexactly(5) == b"eager"


async def test_w08_a_stop_waits_for_a_tunnel_until_the_hard_stop(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    s1 = await backend("s1")
    lb = await start_lb(s1, flags=("--hard-stop-after", "1"))
    s1.script = echo
    wire, _ = await opened(lb)
    loop = asyncio.get_running_loop()
    began = loop.time()
    stopping = asyncio.ensure_future(lb.stop())
    with suppress(ConnectionError, asyncio.IncompleteReadError):
        while True:
            assert await said(wire, b"ping") == b"ping"
            await asyncio.sleep(0.05)
    assert loop.time() - began > 0.9
    assert await stopping == 1


@pytest.mark.parametrize(
    "data",
    [
        ASK.replace(b"Connection: Upgrade\r\n", b""),
        ASK.replace(b"HTTP/1.1", b"HTTP/1.0"),
        ASK.replace(b"websocket", b"h2c"),
        ASK.replace(b"websocket", b"websocket, h2c"),
        ASK.replace(b"GET", b"POST").replace(b"\r\n\r\n", b"\r\nContent-Length: 1\r\n\r\nx"),
    ],
    ids=["without-connection", "HTTP/1.0", "h2c", "h2c-too", "with-a-body"],
)
async def test_w09_what_is_no_websocket_is_not_switched(
    start_lb: StartLb, backend: OpenBackend, data: bytes
) -> None:
    s1 = await backend("s1")
    lb = await start_lb(s1)
    assert (await lb.ask(data)).status == 200
    assert (s1.seen[-1].all("upgrade"), s1.seen[-1].all("connection")) == ([], [])
    s1.script = echo
    answer = await lb.ask(data)
    assert answer.status == 502
    assert "error=http_protocol_error" in str(answer["proxy-status"])
