"""Requests that wait for a server: in order, for a time, and without a trace when they leave."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.net.lb.conftest import PATIENCE, request

if TYPE_CHECKING:
    from pathlib import Path

    from tests.net.lb.conftest import Answer, Backend, Lb, OpenBackend, Peer, Seen, StartLb

ONE = ("--maxconn", "1", "--queue-timeout", "8")
COOKIE = ("--sticky", "cookie")


class Gate:
    """A server's script that answers one request each time it is told to, or all that come from then on."""

    def __init__(self, server: Backend) -> None:
        self._passes = asyncio.Semaphore(0)
        self.server = server
        self.inside = self.most = 0
        server.script = self

    async def __call__(self, peer: Peer, seen: Seen) -> None:
        await peer.body(seen)
        self.inside += 1
        self.most = max(self.most, self.inside)
        await self._passes.acquire()
        self.inside -= 1
        await peer.answer(self.server.name.encode())

    def open(self, times: int = 1) -> None:
        for _ in range(times):
            self._passes.release()

    @property
    def targets(self) -> list[str]:
        return [seen.target for seen in self.server.seen]


async def until(lb: Lb, **wanted: Any) -> None:
    """Wait for counters: ``qcur`` of the front, or ``s1`` for that of a server."""
    async with asyncio.timeout(PATIENCE):
        while True:
            counters = await lb.counters()
            found = {name: counters["servers"][name] for name in counters["servers"]}
            if all(
                (counters[n] if n in counters else found[n]["qcur"]) == value for n, value in wanted.items()
            ):
                return
            await asyncio.sleep(0.01)


async def came(*gates: Gate, requests: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while sum(len(gate.server.seen) for gate in gates) < requests:
            await asyncio.sleep(0.01)


def asking(lb: Lb, target: str, **fields: str) -> asyncio.Future[Answer]:
    return asyncio.ensure_future(lb.get(target, **fields))


async def test_q02_requests_beyond_the_limit_wait_and_are_served_in_the_order_they_came(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    gate = Gate(await backend("s1"))
    lb = await start_lb(gate.server, flags=ONE)
    asked = [asking(lb, "/0")]
    await came(gate, requests=1)
    for number in range(1, 5):
        asked.append(asking(lb, f"/{number}"))
        await until(lb, qcur=number)
    gate.open(5)
    assert {answer.status for answer in await asyncio.gather(*asked)} == {200}
    assert gate.targets == ["/0", "/1", "/2", "/3", "/4"]
    assert gate.most == 1
    counters = await lb.counters()
    assert (counters["qcur"], counters["qmax"]) == (0, 4)


async def test_q02_who_waits_too_long_gets_a_503_that_says_so(
    start_lb: StartLb, backend: OpenBackend, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    gate = Gate(await backend("s1"))
    flags = ("--maxconn", "1", "--queue-timeout", "0.3", "--log", str(log))
    lb = await start_lb(gate.server, flags=flags)
    first = asking(lb, "/first")
    await came(gate, requests=1)
    late = await lb.ask(request("POST", "/late", b"hello"))
    assert (late.status, late["retry-after"]) == (503, "1")
    assert "error=connection_limit_reached" in str(late["proxy-status"])
    gate.open()
    assert (await first).status == 200
    assert gate.targets == ["/first"]
    assert (await lb.counters())["qcur"] == 0
    assert await lb.stop() == 0
    states = {line["target"]: line["state"] for line in map(json.loads, log.read_text().splitlines())}
    assert states == {"/first": "----", "/late": "sQ--"}


async def test_q02_a_client_that_leaves_the_queue_frees_its_place(
    start_lb: StartLb, backend: OpenBackend, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    gate = Gate(await backend("s1"))
    lb = await start_lb(gate.server, flags=(*ONE, "--log", str(log)))
    first = asking(lb, "/first")
    await came(gate, requests=1)
    gone = await lb.wire()
    await gone.send(request("GET", "/gone"))
    await until(lb, qcur=1)
    stays = asking(lb, "/stays")
    await until(lb, qcur=2)
    await gone.end()
    await until(lb, qcur=1)
    gate.open(2)
    assert [(await one).status for one in (first, stays)] == [200, 200]
    assert gate.targets == ["/first", "/stays"]
    assert await lb.stop() == 0
    lines = {line["target"]: line for line in map(json.loads, log.read_text().splitlines())}
    assert lines["/gone"]["state"] == "CQ--"
    assert lines["/first"]["ms"]["queue"] is None
    assert lines["/stays"]["ms"]["queue"] > 0


async def test_q02_a_tied_request_waits_for_its_own_server_and_others_go_where_room_is(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    gates = [Gate(await backend(name)) for name in ("s1", "s2")]
    lb = await start_lb(*(gate.server for gate in gates), flags=(*ONE, *COOKIE))
    asked = [asking(lb, "/home", Cookie="LABSRV=s1")]
    await came(gates[0], requests=1)
    asked.append(asking(lb, "/waits", Cookie="LABSRV=s1"))
    await until(lb, s1=1)
    for number in range(3):
        asked.append(asking(lb, f"/untied-{number}"))
        await came(gates[1], requests=number + 1)
        gates[1].open()
        await asked[-1]
    assert gates[0].targets == ["/home"]
    gates[0].open(2)
    answers = await asyncio.gather(*asked)
    assert [answer.body for answer in answers] == [b"s1", b"s1", b"s2", b"s2", b"s2"]
    assert (await lb.counters())["servers"]["s1"]["qmax"] == 1


async def test_q02_an_untied_request_takes_the_first_server_that_has_room_again(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    gates = [Gate(await backend(name)) for name in ("s1", "s2")]
    lb = await start_lb(*(gate.server for gate in gates), flags=ONE)
    asked = [asking(lb, "/a"), asking(lb, "/b")]
    await came(*gates, requests=2)
    asked.append(asking(lb, "/waits"))
    await until(lb, qcur=1)
    gates[1].open(2)
    assert (await asked[2]).body == b"s2"
    gates[0].open()
    assert {(await one).status for one in asked} == {200}


@pytest.mark.parametrize("failover", ["rebalance", "strict"])
async def test_q03_when_too_many_wait_for_the_tied_server_the_tie_is_broken_or_an_error(
    start_lb: StartLb, backend: OpenBackend, failover: str
) -> None:
    gates = [Gate(await backend(name)) for name in ("s1", "s2")]
    flags = (*ONE, *COOKIE, "--maxqueue", "1", "--failover", failover)
    lb = await start_lb(*(gate.server for gate in gates), flags=flags)
    asked = [asking(lb, "/home", Cookie="LABSRV=s1")]
    await came(gates[0], requests=1)
    asked.append(asking(lb, "/waits", Cookie="LABSRV=s1"))
    await until(lb, s1=1)
    gates[1].open()
    over = await lb.get("/over", Cookie="LABSRV=s1")
    if failover == "strict":
        assert (over.status, over["set-cookie"]) == (503, None)
        assert "error=connection_limit_reached" in str(over["proxy-status"])
    else:
        assert (over.body, over["x-lab-moved-from"], over["x-lab-tries"]) == (b"s2", "s1", "1")
        assert str(over["set-cookie"]).startswith("LABSRV=s2;")
    gates[0].open(2)
    assert [(await one).body for one in asked] == [b"s1", b"s1"]


async def test_who_waits_for_a_server_that_goes_down_is_served_by_another(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    gates = [Gate(await backend(name)) for name in ("s1", "s2")]
    lb = await start_lb(*(gate.server for gate in gates), flags=(*ONE, *COOKIE))
    first = asking(lb, "/home", Cookie="LABSRV=s1")
    await came(gates[0], requests=1)
    waits = asking(lb, "/waits", Cookie="LABSRV=s1")
    await until(lb, s1=1)
    gates[1].open()
    await lb.put("s1", state="maintenance")
    moved = await waits
    assert (moved.body, moved["x-lab-moved-from"]) == (b"s2", "s1")
    gates[0].open()
    assert (await first).body == b"s1"
    await until(lb, s1=0, s2=0, qcur=0)


async def test_who_waits_when_the_last_server_goes_gets_a_503_at_once(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    gate = Gate(await backend("s1"))
    lb = await start_lb(gate.server, flags=("--maxconn", "1", "--queue-timeout", "60"))
    first = asking(lb, "/first")
    await came(gate, requests=1)
    waits = asking(lb, "/waits")
    await until(lb, qcur=1)
    await lb.put("s1", state="maintenance")
    assert (await waits).status == 503
    gate.open()
    assert (await first).status == 200


async def test_a_body_that_comes_while_its_request_waits_arrives_whole(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    gate = Gate(await backend("s1"))
    lb = await start_lb(gate.server, flags=ONE)
    first = asking(lb, "/first")
    await came(gate, requests=1)
    body = bytes(range(256)) * 1024
    wire = await lb.wire()
    whole = request("POST", "/waits", body)
    wire.writer.write(whole[:1000])
    await until(lb, qcur=1)
    wire.writer.write(whole[1000:])
    gate.open(2)
    assert (await wire.answer("POST")).status == 200
    assert (await first).status == 200
    assert gate.server.seen[1].body == body


async def test_a_deadline_across_all_tries_ends_a_request_wherever_it_is(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    gate = Gate(await backend("s1"))
    flags = ("--maxconn", "1", "--queue-timeout", "60", "--request-timeout", "2")
    lb = await start_lb(gate.server, flags=flags)
    first = asking(lb, "/held")
    await came(gate, requests=1)
    second = asking(lb, "/waits")
    answers = [await first, await second]
    assert [answer.status for answer in answers] == [504, 504]
    assert all("error=http_response_timeout" in str(answer["proxy-status"]) for answer in answers)
    await until(lb, qcur=0)
    assert (await lb.server("s1"))["active"] == 0
    gate.open(10)
    assert (await lb.get("/again")).status == 200
