"""The throng over real sockets, against a scripted site: each request once, each end told as what it is."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from lab.history import Kind, Operation, Outcome
from lab.workload.catalogue import Product
from lab.workload.throng.letters import with_cookies
from lab.workload.throng.orders import Prepare
from lab.workload.throng.throng import CUT_SHORT, Throng

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    Answer = Callable[["Asked", asyncio.StreamWriter], Awaitable[None]]

PRODUCTS = (Product("Laptop", 999.0),)
PATIENCE = 30.0


class Asked:
    """One request as the site got it, and how many came before it."""

    def __init__(self, number: int, head: str, body: bytes) -> None:
        self.number = number
        self.line, _, fields = head.partition("\r\n")
        self.fields = dict(field.lower().split(": ", 1) for field in fields.split("\r\n") if field)
        self.body = body


class Site:
    """Writes down what it is asked; ``answer`` does the rest."""

    def __init__(self, answer: Answer) -> None:
        self.asked: list[Asked] = []
        self.connections = 0
        self._answer = answer

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while not writer.is_closing():
                head = (await reader.readuntil(b"\r\n\r\n")).decode().strip()
                asked = Asked(len(self.asked), head, b"")
                asked.body = await reader.readexactly(int(asked.fields.get("content-length", 0)))
                self.asked.append(asked)
                await self._answer(asked, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def answer_bytes(*fields: str, quantity: int = 1, status: str = "200 OK") -> bytes:
    body = json.dumps({"sessionId": "d109972e07be", "cart": [{"item": "Laptop", "quantity": quantity}]})
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "X-Served-By: server-1", *fields]
    return "\r\n".join([*head, "", body]).encode()


async def well(_: Asked, writer: asyncio.StreamWriter) -> None:
    writer.write(answer_bytes("Set-Cookie: cart_sid=abc; Path=/; HttpOnly"))


@asynccontextmanager
async def throng_at(answer: Answer, **more: Any) -> AsyncIterator[tuple[Throng, Site]]:
    site = Site(answer)
    async with await asyncio.start_server(site.meet, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        throng = Throng(prepared(host, port, **more), time.monotonic)
        async with asyncio.timeout(PATIENCE):
            yield throng, site
        throng.cut_short()


def prepared(host: str, port: int, **more: Any) -> Prepare:
    usual: dict[str, Any] = {
        "arm": "sticky", "host": host, "port": port, "seed": 7, "keyless": 0.0, "first": 10, "count": 4,
        "connections": 2, "zero": 0.0, "timeout": PATIENCE, "catalogue": PRODUCTS,
    }  # fmt: skip
    return Prepare(**{**usual, **more})


def operations(throng: Throng) -> list[Operation]:
    return [op for shopper in range(10, 14) for op in throng._slots.operations(shopper)]


async def test_everybody_adds_three_times_and_is_read_and_keeps_the_cookie() -> None:
    async with throng_at(well) as (throng, site):
        await throng.fill()
        assert len(operations(throng)) == 8
        await throng.come_back()
        await throng.read_back(PATIENCE)
        found = operations(throng)
    assert [op.kind for op in found[:4]] == [Kind.ADD, Kind.ADD, Kind.ADD, Kind.FINAL_READ]
    assert {op.outcome for op in found} == {Outcome.OK}
    assert len(site.asked) == len(found) == 16
    assert site.connections == 2
    cookies = [asked.fields.get("cookie") for asked in site.asked]
    assert cookies == [None] * 4 + ["cart_sid=abc"] * 12
    assert {(op.server, op.session) for op in found} == {("server-1", "d109972e07be")}
    keys = [asked.fields.get("idempotency-key") for asked in site.asked if asked.body]
    assert sorted(map(str, keys)) == sorted(str(op.key) for op in found if op.kind is Kind.ADD)
    assert json.loads(site.asked[0].body) == {"item": "Laptop", "price": 999.0, "quantity": 1}


async def test_a_lost_connection_is_unknown_and_nothing_is_sent_twice() -> None:
    async def hang_up_at_first(asked: Asked, writer: asyncio.StreamWriter) -> None:
        if asked.number == 0:
            writer.close()
        else:
            await well(asked, writer)

    async with throng_at(hang_up_at_first) as (throng, site):
        await throng.fill()
        ended = [op.outcome for op in operations(throng)]
    assert sorted(ended) == sorted([Outcome.INFO] + [Outcome.OK] * 7)
    assert len(site.asked) == 8


async def test_an_answer_that_closes_the_connection_is_an_answer_like_any_other() -> None:
    async def close(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(answer_bytes("Connection: close"))
        await writer.drain()
        writer.close()

    async with throng_at(close) as (throng, site):
        await throng.fill()
        assert {op.outcome for op in operations(throng)} == {Outcome.OK}
    assert site.connections == len(site.asked) == 8


async def test_an_answer_in_single_bytes_after_an_interim_one_is_read_whole() -> None:
    async def drip(_: Asked, writer: asyncio.StreamWriter) -> None:
        for byte in b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + answer_bytes(quantity=5):
            writer.write(bytes([byte]))
            await writer.drain()

    async with throng_at(drip, count=2) as (throng, _):
        await throng.fill()
        found = [op for shopper in (10, 11) for op in throng._slots.operations(shopper)]
    assert [(op.status, op.cart) for op in found] == [(200, {"Laptop": 5})] * 4


async def test_silence_is_unknown_after_the_time_out() -> None:
    async def say_nothing(_asked: Asked, _writer: asyncio.StreamWriter) -> None:
        """As a frozen server."""

    async with throng_at(say_nothing, count=1, timeout=0.2) as (throng, site):
        await throng.fill()
        found = throng._slots.operations(10)
    assert [(op.outcome, op.status) for op in found] == [(Outcome.INFO, None)] * 2
    assert all("no answer within 0.2 s" in (op.error or "") for op in found)
    assert len(site.asked) == 2


async def test_where_nobody_listens_nothing_was_sent() -> None:
    async with await asyncio.start_server(lambda *_: None, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
    throng = Throng(prepared(host, port), time.monotonic)
    async with asyncio.timeout(PATIENCE):
        await throng.fill()
    assert {op.outcome for op in operations(throng)} == {Outcome.FAIL}


async def test_a_refusal_before_any_write_is_a_failure_and_its_words_are_kept() -> None:
    async def refuse(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(answer_bytes("X-Write: not-attempted", status="503 Service Unavailable"))

    async with throng_at(refuse) as (throng, _):
        await throng.fill()
        found = operations(throng)
    assert {(op.outcome, op.status) for op in found} == {(Outcome.FAIL, 503)}
    assert all((op.error or "").startswith("503: {") for op in found)


async def test_a_cart_is_asked_for_until_it_is_shown_and_every_try_is_written_down() -> None:
    async def late(asked: Asked, writer: asyncio.StreamWriter) -> None:
        status = "502 Bad Gateway" if asked.number < 3 else "200 OK"
        writer.write(answer_bytes(status=status))

    async with throng_at(late, count=1) as (throng, _):
        await throng.read_back(PATIENCE)
        found = throng._slots.operations(10)
    assert [op.outcome for op in found] == [Outcome.FAIL] * 3 + [Outcome.OK]
    assert {op.kind for op in found} == {Kind.FINAL_READ}


async def test_reading_back_ends_where_no_cart_is_shown_any_more() -> None:
    async def never(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(answer_bytes(status="502 Bad Gateway"))

    async with throng_at(never, count=1) as (throng, _):
        await throng.read_back(0.6)
        found = throng._slots.operations(10)
    assert found
    assert {op.outcome for op in found} == {Outcome.FAIL}


async def test_what_is_cut_short_is_unknown_and_says_so() -> None:
    asked_once = asyncio.Event()

    async def say_nothing(_asked: Asked, _writer: asyncio.StreamWriter) -> None:
        asked_once.set()

    async with throng_at(say_nothing, count=1) as (throng, _):
        filling = asyncio.create_task(throng.fill())
        await asked_once.wait()
        throng.cut_short()
        filling.cancel()
        (found,) = throng._slots.operations(10)
    assert (found.outcome, found.completed, found.error) == (Outcome.INFO, None, CUT_SHORT)


def test_a_jar_keeps_what_is_set_and_drops_what_is_cleared() -> None:
    jar = with_cookies(b"", [b"cart_sid=abc; Path=/; HttpOnly; SameSite=Lax", b"other=1; Path=/"])
    assert jar == b"cart_sid=abc; other=1"
    jar = with_cookies(jar, [b"cart_sid=; Path=/; Max-Age=0", b"other=2"])
    assert jar == b"other=2"
