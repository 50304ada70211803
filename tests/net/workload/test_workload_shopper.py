"""One shopper against a real server: each request goes out once and is written down as it ended."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import aiohttp
import pytest
from aiohttp import web

from lab.history import History, Kind, Operation, Outcome
from lab.ledger import ItemResult, Status
from lab.oracle import judge
from lab.workload.catalogue import Product
from lab.workload.client import Door, NoAnswer
from lab.workload.plan import Step
from lab.workload.shopper import CUT_SHORT, Notebook, Shopper

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.net.workload.conftest import TinyShop

OK, FAIL, INFO = Outcome.OK, Outcome.FAIL, Outcome.INFO
TEA = Product("tea", 3.5)
ADD = Step(0, Kind.ADD, TEA, 2, "key-1")
READ = Step(0, Kind.READ)


class Bench:
    """A door, a history, and shoppers made at will."""

    def __init__(self, door: Door) -> None:
        self.door = door
        self.history = History()
        self.notebook = Notebook("arm", time.monotonic, self.history.add)

    def shopper(self, number: int = 1) -> Shopper:
        return Shopper(number, self.door.person(), self.notebook)


@pytest.fixture
async def bench(shop: TinyShop) -> AsyncIterator[Bench]:
    async with Door(shop.url, timeout=5) as door:
        yield Bench(door)


async def act(shopper: Shopper, step: Step) -> Operation:
    return await shopper.act(step, intended=time.monotonic())


async def test_an_answered_add_is_written_down_with_all_that_the_answer_says(
    shop: TinyShop, bench: Bench
) -> None:
    shop.headers = {"X-Lab-Tries": "2", "X-Lab-Moved-From": "server-2"}
    operation = await act(bench.shopper(), ADD)
    assert bench.history.operations == [operation]
    assert (operation.outcome, operation.status, operation.error) == (OK, 200, None)
    assert (operation.item, operation.quantity, operation.key) == ("tea", 2, "key-1")
    assert (operation.server, operation.origin, operation.cart) == ("server-1", "local", {"tea": 2})
    assert (operation.tries, operation.moved_from) == (2, "server-2")
    assert operation.session is not None
    assert operation.completed is not None
    assert operation.intended <= operation.invoked < operation.completed
    assert shop.keys == ["key-1"]


async def test_each_shopper_has_a_cookie_jar_of_their_own(shop: TinyShop, bench: Bench) -> None:
    alice, bob = bench.shopper(1), bench.shopper(2)
    await act(alice, ADD)
    await act(bob, Step(0, Kind.ADD, Product("jam", 4), 1))
    assert (await act(alice, READ)).cart == {"tea": 2}
    assert (await act(bob, READ)).cart == {"jam": 1}
    assert len(shop.carts) == 2
    assert shop.keys == ["key-1", None, None, None]


async def test_a_line_cut_after_the_bytes_were_sent_is_info_for_an_add_and_fail_for_a_read(
    shop: TinyShop, bench: Bench
) -> None:
    shop.misbehave = shop.cut_the_line
    add, read = await act(bench.shopper(), ADD), await act(bench.shopper(), READ)
    assert (add.outcome, add.status, add.completed is None) == (INFO, None, False)
    assert read.outcome is FAIL
    assert "Disconnected" in (add.error or "")


async def test_an_add_whose_reply_was_lost_is_unknown_to_the_oracle_and_no_duplicate(
    shop: TinyShop, bench: Bench
) -> None:
    shopper = bench.shopper()
    await act(shopper, ADD)
    shop.misbehave = shop.lose_the_reply
    assert (await act(shopper, replace(ADD, key="key-2"))).outcome is INFO
    shop.misbehave = None
    assert await shopper.look_for_the_judge()
    (cart,) = judge("arm", bench.history.operations).carts
    assert cart.items == (ItemResult("tea", 2, 4, 4, Status.UNKNOWN),)


async def test_a_read_goes_out_once_even_when_a_kept_alive_connection_dies(
    shop: TinyShop, bench: Bench
) -> None:
    shopper = bench.shopper()
    await act(shopper, READ)
    shop.misbehave = shop.cut_the_line
    assert (await act(shopper, READ)).outcome is FAIL
    assert shop.seen == ["GET /cart", "GET /cart"]


async def test_the_library_left_alone_would_have_sent_it_twice(shop: TinyShop) -> None:
    """Why the client needs its middleware. When this fails, the library changed: look again."""
    shop.misbehave = shop.cut_the_line
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await session.get(shop.url + "/cart")
    assert shop.seen == ["GET /cart", "GET /cart"]


async def test_a_refused_connection_is_fail_because_nothing_was_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    async with Door(f"http://127.0.0.1:{port}") as door:
        operation = await act(Bench(door).shopper(), ADD)
    assert operation.outcome is FAIL
    assert "ConnectorError" in (operation.error or "")


async def test_no_answer_in_time_is_info(shop: TinyShop) -> None:
    shop.misbehave = shop.freeze
    async with Door(shop.url, timeout=0.3) as door:
        operation = await asyncio.wait_for(act(Bench(door).shopper(), ADD), 10)
    assert operation.outcome is INFO
    assert "Timeout" in (operation.error or "")
    assert shop.seen == ["POST /cart/add"]


async def test_no_connection_to_be_had_in_time_is_fail_because_nothing_was_sent(shop: TinyShop) -> None:
    shop.misbehave = shop.freeze
    async with Door(shop.url, connections=1, timeout=1.0, patience=0.2) as door:
        bench = Bench(door)
        first = asyncio.create_task(act(bench.shopper(1), ADD))
        await shop.was_asked.wait()
        second = await act(bench.shopper(2), ADD)
        await first
    assert second.outcome is FAIL
    assert shop.seen == ["POST /cart/add"]


ANSWERS = {
    "refused": (422, {}, "{}", FAIL),
    "not attempted": (503, {"X-Write": "not-attempted"}, "{}", FAIL),
    "no server": (503, {"Proxy-Status": "lb; error=destination_unavailable"}, "", FAIL),
    "gateway gave up": (504, {}, "<html>", INFO),
    "gateway lost it": (502, {}, "", INFO),
    "refused after two tries": (409, {"X-Lab-Tries": "2"}, "{}", INFO),
    "unreadable count of tries": (409, {"X-Lab-Tries": "two"}, "{}", FAIL),
    "redirect": (307, {"Location": "/elsewhere"}, "", INFO),
    "no JSON": (200, {}, "<html>", INFO),
    "no cart": (200, {}, "{}", INFO),
    "JSON of another shape": (200, {}, "[1]", INFO),
}


@pytest.mark.parametrize(("status", "headers", "body", "expected"), ANSWERS.values(), ids=ANSWERS.keys())
async def test_an_add_answered_with(
    shop: TinyShop, bench: Bench, status: int, headers: dict[str, str], body: str, expected: Outcome
) -> None:
    async def answer(_: TinyShop, __: web.Request) -> web.Response:
        return web.Response(status=status, headers=headers, text=body)

    shop.misbehave = answer
    operation = await act(bench.shopper(), ADD)
    assert (operation.outcome, operation.status) == (expected, status)
    assert operation.error == f"{status}: {body}"
    assert len(shop.seen) == 1


async def test_an_answer_that_breaks_off_is_info(shop: TinyShop, bench: Bench) -> None:
    async def break_off(_: TinyShop, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Length": "100"})
        await answer.prepare(request)
        await answer.write(b'{"cart"')
        assert request.transport is not None
        request.transport.close()
        return answer

    shop.misbehave = break_off
    assert (await act(bench.shopper(), ADD)).outcome is INFO


async def test_a_request_under_way_when_the_run_is_ended_is_written_down_as_info(
    shop: TinyShop, bench: Bench
) -> None:
    shop.misbehave = shop.freeze
    acting = asyncio.create_task(act(bench.shopper(), ADD))
    await shop.was_asked.wait()
    acting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await acting
    (operation,) = bench.history.operations
    assert (operation.outcome, operation.completed, operation.error) == (INFO, None, CUT_SHORT)


async def test_a_history_of_real_requests_survives_its_file(bench: Bench) -> None:
    await act(bench.shopper(), ADD)
    lines = list(bench.history.to_lines())
    assert History.from_lines(lines) == bench.history
    assert json.loads(lines[0])["kind"] == "add"


async def test_a_door_to_nowhere_says_what_it_tried(shop: TinyShop) -> None:
    shop.misbehave = shop.cut_the_line
    async with Door(shop.url) as door, door.person() as person:
        with pytest.raises(NoAnswer, match="ServerDisconnectedError"):
            await person.get("/cart")
