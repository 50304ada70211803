"""Good sessions, damaged at random: no crash, no hang, and nobody ever gets what was meant for another.

``LB_FUZZ_SECONDS`` says how long each test goes on, ``LB_FUZZ_SEED`` repeats a run that failed.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import time
from contextlib import suppress
from itertools import pairwise
from typing import TYPE_CHECKING

import h11
import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from tests.net.lb.conftest import Lb, StartLb

SECONDS = float(os.environ.get("LB_FUZZ_SECONDS", "4"))
SEED = int(os.environ.get("LB_FUZZ_SEED", str(time.time_ns() % 1_000_000)))
HANGS = 10.0
#: Short, for half of what is sent never becomes a whole message.
HASTE = ("--head-timeout", "0.3", "--body-timeout", "0.3", "--response-timeout", "0.3", "--fall", "99")

HOST = b" HTTP/1.1\r\nHost: shop\r\n"
REQUESTS = [
    b"GET /a" + HOST + b"Cookie: a=b; cart_sid=1\r\n\r\n",
    b"HEAD /b" + HOST + b"Connection: keep-alive, X-A\r\nX-A: 1\r\n\r\n",
    b"POST /c" + HOST + b"Content-Length: 11\r\n\r\nhello world",
    b"POST /d" + HOST + b"Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n1\r\n!\r\n0\r\nT: u\r\n\r\n",
    b"PUT /e" + HOST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\nhi",
    b"GET http://shop/f" + HOST + b"X: y\r\n\r\n",
    b"OPTIONS *" + HOST + b"Content-Length: 0\r\n\r\n",
    b"GET /g HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
]
ANSWERS = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno",
    b"HTTP/1.1 204 No Content\r\nSet-Cookie: cart_sid=1\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nConnection: close\r\n\r\nto the end",
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\n\r\n",
]
TOKENS = [
    *(b"%c" % byte for byte in b"\r\n\0 \t:,;0\xff\x0b"), b"\r\n", b"\r\n\r\n", b"\r\n ", b"-1", b"0x1",
    b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n", b"Host: evil\r\n",
    b"Upgrade: websocket\r\n", b"Content-Length", b"chunked", b"identity", b"HTTP/1.1", b"HTTP/1.0",
    b"GET /smuggled HTTP/1.1\r\nHost: evil\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nX",
]  # fmt: skip


def damaged(dice: random.Random, data: bytes) -> bytes:
    for _ in range(dice.choice((0, 1, 1, 1, 2, 4))):
        begin = dice.randrange(len(data) + 1)
        end = min(len(data), begin + dice.choice((0, 0, 1, 1, 2, 8)))
        match dice.randrange(4):
            case 0:
                data = data[:begin] + dice.choice(TOKENS) + data[end:]
            case 1:
                data = data[:begin] + data[end:]
            case 2:
                data = data[:end] + data[begin:]
            case _:
                data = data[:begin] + dice.randbytes(1) + data[begin + 1 :]
    return data


class Strict:
    """A server that takes whole, well-formed requests only, and gives every one a number."""

    def __init__(self) -> None:
        self.name = "s1"
        self.address = ""
        self.complaints: list[str] = []
        self.numbers: list[int] = []
        self.answer: bytes | None = None
        self._next = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    async def open(self) -> asyncio.Server:
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        return server

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:  # whose task had not begun, too
            writer.transport.abort()
        await asyncio.gather(*(writer.wait_closed() for writer in self._writers), return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h11.Connection(h11.SERVER)
        with suppress(ConnectionError):
            try:
                while await self._serve_one(connection, reader, writer):
                    connection.start_next_cycle()
            except h11.RemoteProtocolError as error:
                if connection.trailing_data[0] or "without sending complete" not in str(error):
                    self.complaints.append(str(error))
            finally:
                writer.close()
                await writer.wait_closed()
                self._writers.discard(writer)

    async def _serve_one(
        self, connection: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        request: h11.Request | None = None
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                connection.receive_data(await reader.read(1 << 16))
            elif isinstance(event, h11.Request):
                request = event
                self._check(event)
            elif isinstance(event, h11.EndOfMessage) and request is not None:
                break
            elif not isinstance(event, h11.Data):
                return False
        return await self._reply(connection, request, writer)

    def _check(self, request: h11.Request) -> None:
        names = [name for name, _ in request.headers]
        if names.count(b"content-length") + names.count(b"transfer-encoding") > 1 or names.count(b"host") > 1:
            self.complaints.append(f"ambiguous: {request}")
        if not names.count(b"via") and request.target != b"/ready":
            self.complaints.append(f"not written by the balancer: {request}")

    async def _reply(
        self, connection: h11.Connection, request: h11.Request, writer: asyncio.StreamWriter
    ) -> bool:
        if self.answer is not None and request.target == b"/fuzz":
            writer.write(self.answer)
            await writer.drain()
            return False
        if request.target != b"/ready":
            self._next += 1
            self.numbers.append(self._next)
        number = str(self._next).encode()
        fields = [(b"x-number", number), (b"x-target", request.target), (b"content-length", b"2")]
        head = h11.Response(status_code=200, headers=fields)
        for event in (
            head,
            *([] if request.method == b"HEAD" else [h11.Data(data=b"ok")]),
            h11.EndOfMessage(),
        ):
            writer.write(connection.send(event) or b"")
        await writer.drain()
        return connection.our_state is h11.DONE and connection.their_state is h11.DONE


@pytest.fixture(name="strict")
async def _strict() -> AsyncIterator[Strict]:
    strict = Strict()
    server = await strict.open()
    yield strict
    server.close()
    await server.wait_closed()
    await strict.end()


async def talk(lb: Lb, data: bytes, cuts: Sequence[int] = (), patience: float = 0.05) -> bytes:
    """Send it in pieces, and hear all there is. After ``patience`` in vain say that no more will come; if
    that does not end it, it hangs.
    """
    wire = await lb.wire()
    lb.wires.remove(wire)
    for begin, end in pairwise([0, *cuts, len(data)]):
        wire.writer.write(data[begin:end])
        await asyncio.sleep(0)
    got = b""
    with suppress(ConnectionError):
        while True:
            try:
                async with asyncio.timeout(patience):
                    piece = await wire.reader.read(1 << 16)
            except TimeoutError:
                assert patience < HANGS, f"hangs after {data!r}: {got!r}"
                patience = HANGS
                wire.writer.write_eof()
                continue
            if not piece:
                break
            got += piece
    await wire.end()
    return got


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 60)
async def test_damaged_requests_desynchronize_nobody(start_lb: StartLb, strict: Strict) -> None:
    dice = random.Random(SEED)  # noqa: S311 - to be repeated with the same seed
    lb = await start_lb(strict, flags=HASTE)
    end, rounds = time.monotonic() + SECONDS, 0
    while time.monotonic() < end:
        rounds += 1
        strict.numbers.clear()
        data = b"".join(damaged(dice, dice.choice(REQUESTS)) for _ in range(dice.randint(1, 3)))
        data += b"GET /last HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n"
        cuts = sorted(dice.randrange(len(data)) for _ in range(dice.choice((0, 0, 1, 5))))
        got = await talk(lb, data, cuts)
        told = f"LB_FUZZ_SEED={SEED}, round {rounds}: {data!r} got {got!r}"
        numbers = [int(number) for number in re.findall(rb"\r\nx-number: (\d+)\r\n", got)]
        assert numbers == strict.numbers[: len(numbers)], told
        own = len(re.findall(rb"\r\nProxy-Status: ", got))
        assert len(re.findall(rb"HTTP/1\.1 [2-5]\d\d ", got)) == len(numbers) + own, told
        assert own <= 1, told
        assert not strict.complaints, told
    print(f"seed {SEED}: {rounds} sessions")  # noqa: T201
    await _at_rest(lb)


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 60)
async def test_damaged_answers_reach_nobody_but_the_one_who_asked(start_lb: StartLb, strict: Strict) -> None:
    dice = random.Random(SEED)  # noqa: S311 - to be repeated with the same seed
    lb = await start_lb(strict, flags=HASTE)
    end, rounds = time.monotonic() + SECONDS, 0
    clean = b"GET /clean HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n"
    while time.monotonic() < end:
        rounds += 1
        strict.answer = damaged(dice, dice.choice(ANSWERS))
        got = await talk(lb, b"GET /fuzz HTTP/1.1\r\nHost: shop\r\n\r\n")
        told = f"LB_FUZZ_SEED={SEED}, round {rounds}: {strict.answer!r} became {got!r}"
        _judge(got, told)
        after = await talk(lb, clean, patience=HANGS)
        assert re.match(rb"HTTP/1\.1 200 ", after), (told, after)
        assert after.count(b"\r\nx-target: /clean\r\n") == 1, (told, after)
        assert after.endswith(b"\r\n\r\nok"), (told, after)
    print(f"seed {SEED}: {rounds} answers")  # noqa: T201
    assert not strict.complaints
    await _at_rest(lb)


def _judge(got: bytes, told: str) -> None:
    """One well-formed answer, whole or visibly cut, and not a byte behind it."""
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="GET", target="/fuzz", headers=[("host", "shop")]))
    client.send(h11.EndOfMessage())
    client.receive_data(got)
    try:
        while not isinstance(event := client.next_event(), h11.EndOfMessage | h11.ConnectionClosed):
            if event is h11.NEED_DATA:
                client.receive_data(b"")
    except h11.RemoteProtocolError as error:
        # Cut within the body, or after an interim answer: no end is seen, and that is as it should be.
        if not re.search("without sending complete|ConnectionClosed when", str(error)):
            pytest.fail(f"{error}: {told}")
    assert not client.trailing_data[0], told


async def _at_rest(lb: Lb) -> None:
    async with asyncio.timeout(HANGS):
        while (await lb.server("s1"))["active"] or (await lb.counters())["connections"]:
            await asyncio.sleep(0.02)
    assert lb.process.returncode is None
