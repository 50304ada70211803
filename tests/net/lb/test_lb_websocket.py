"""A real WebSocket client talks to a real WebSocket server through the balancer."""

from __future__ import annotations

import asyncio
import signal
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from random import Random
from typing import TYPE_CHECKING

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidStatus

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from websockets.http11 import Request, Response

    from tests.net.lb.conftest import Lb, StartLb

MIB = 1 << 20
PATIENCE = 10


@dataclass
class Room:
    """A server where every message is sent back, under the name of the server."""

    name: str
    address: str = ""

    async def welcome(self, connection: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            while (message := await connection.recv()) != "bye":
                await connection.send(self.name if message == "who" else message)
            await connection.close(4001, "as you wish")

    def check(self, connection: ServerConnection, request: Request) -> Response | None:
        if request.path == "/ready":
            return connection.respond(HTTPStatus.OK, "ready\n")
        if request.path == "/private":
            return connection.respond(HTTPStatus.FORBIDDEN, "members only\n")
        return None


@asynccontextmanager
async def opened(*names: str) -> AsyncIterator[list[Room]]:
    rooms = [Room(name) for name in names]
    servers = [
        await serve(room.welcome, "127.0.0.1", 0, process_request=room.check, max_size=4 * MIB)
        for room in rooms
    ]
    for room, server in zip(rooms, servers, strict=True):
        room.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield rooms
    for server in servers:
        server.close()
        await server.wait_closed()


@pytest.fixture(name="rooms")
async def _rooms() -> AsyncIterator[list[Room]]:
    async with opened("s1", "s2") as rooms:
        yield rooms


def talk(lb: Lb, path: str = "/chat") -> connect:
    return connect(
        f"ws://127.0.0.1:{lb.port}{path}", max_size=4 * MIB, open_timeout=PATIENCE, close_timeout=PATIENCE
    )


async def echoed(socket: ClientConnection, message: str | bytes) -> str | bytes:
    async with asyncio.timeout(PATIENCE):
        await socket.send(message)
        return await socket.recv()


async def test_w01_messages_pings_and_closing_codes_pass_both_ways(
    start_lb: StartLb, rooms: list[Room]
) -> None:
    lb = await start_lb(*rooms)
    large = Random(7).randbytes(MIB)  # noqa: S311 - bytes without a pattern, the same each time
    async with talk(lb) as socket:
        for message in ("hello", "", "ä€😀" * 1000, b"\0\xff", large):
            assert await echoed(socket, message) == message
        pieces = [large[start : start + 100_000] for start in range(0, MIB, 100_000)]
        await socket.send(iter(pieces))  # one message in fragments
        async with asyncio.timeout(PATIENCE):
            assert await socket.recv() == large
            await (await socket.ping(b"are you there"))
        with pytest.raises(ConnectionClosedError) as closed:
            await echoed(socket, "bye")
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4001, "as you wish")
    async with asyncio.timeout(PATIENCE):
        for room in rooms:
            while (await lb.server(room.name))["active"]:
                await asyncio.sleep(0.01)


async def test_w01_many_sockets_at_once_never_hear_each_other(start_lb: StartLb, rooms: list[Room]) -> None:
    lb = await start_lb(*rooms)

    async def chat(number: int) -> None:
        async with talk(lb) as socket:
            for turn in range(20):
                message = f"{number}:{turn}:" + "x" * (turn * 1000)
                assert await echoed(socket, message) == message

    await asyncio.gather(*(chat(number) for number in range(20)))


async def test_w02_a_refused_handshake_is_an_ordinary_answer(start_lb: StartLb, rooms: list[Room]) -> None:
    lb = await start_lb(*rooms)
    with pytest.raises(InvalidStatus) as refused:
        async with talk(lb, "/private"):
            pass
    assert (refused.value.response.status_code, refused.value.response.body) == (403, b"members only\n")


async def test_w04_drain_and_maintenance_leave_an_open_socket_alone_and_send_new_ones_elsewhere(
    start_lb: StartLb, rooms: list[Room]
) -> None:
    lb = await start_lb(*rooms)
    async with talk(lb) as socket:
        home = await echoed(socket, "who")
        for state in ("drain", "maintenance"):
            await lb.put(str(home), state=state)
            assert await echoed(socket, state) == state
            for _ in range(2):
                async with talk(lb) as another:
                    assert await echoed(another, "who") != home
        assert (await lb.server(str(home)))["active"] == 1


async def test_w08_a_stop_lets_a_conversation_end_and_the_hard_stop_ends_it(
    start_lb: StartLb, rooms: list[Room]
) -> None:
    patient = await start_lb(*rooms)
    async with talk(patient) as socket:
        patient.process.send_signal(signal.SIGTERM)
        for number in range(10):
            assert await echoed(socket, str(number)) == str(number)
    assert await patient.ended() == 0
    hasty = await start_lb(*rooms, flags=("--hard-stop-after", "0.5"))
    async with talk(hasty) as socket:
        assert await echoed(socket, "before") == "before"
        hasty.process.send_signal(signal.SIGTERM)
        with pytest.raises(ConnectionClosedError) as cut:
            async with asyncio.timeout(PATIENCE):
                await socket.recv()
    assert cut.value.rcvd is None, "no closing frame: it was cut"
    assert await hasty.ended() == 1
