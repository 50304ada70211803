"""What an operator does and sees: states, drains, moves, the table, events, counters."""

from __future__ import annotations

import asyncio
import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from tests.net.lb.conftest import Backend, Lb, OpenBackend, Peer, Seen, StartLb


@pytest.fixture(name="site")
async def _site(start_lb: StartLb, backend: OpenBackend) -> tuple[Lb, Backend, Backend]:
    s1, s2 = await backend("s1"), await backend("s2")
    return await start_lb(s1, s2, flags=("--sticky", "learn")), s1, s2


async def tied_to(lb: Lb, name: str) -> str:
    """The cookie of a new session on server ``name``."""
    for _ in range(10):
        answer = await lb.get()
        if answer["x-lab-server"] == name:
            return str(answer["set-cookie"]).split(";", 1)[0]
    raise AssertionError(f"{name} got no new session in ten")


async def test_a_draining_server_keeps_its_sessions_and_gets_no_new_ones(
    site: tuple[Lb, Backend, Backend],
) -> None:
    lb, *_ = site
    cookie = await tied_to(lb, "s1")
    assert (await lb.put("s1", state="drain"))["state"] == "draining"
    for _ in range(5):
        assert (await lb.get(Cookie=cookie))["x-lab-server"] == "s1"
        assert (await lb.get())["x-lab-server"] == "s2"
    assert (await lb.put("s1", state="ready"))["state"] == "up"
    assert await tied_to(lb, "s1")


async def test_a_balancer_is_ready_while_a_server_can_take_a_new_session(
    site: tuple[Lb, Backend, Backend],
) -> None:
    lb, *_ = site
    await lb.put("s1", state="drain")
    assert await lb.api("GET", "/ready") == (200, {"status": "ready"})
    await lb.put("s2", state="maintenance")
    assert (await lb.api("GET", "/ready"))[0] == 503
    assert (await lb.counters())["requests"] == 0


async def test_where_only_a_draining_server_is_left_new_clients_get_503(
    site: tuple[Lb, Backend, Backend],
) -> None:
    lb, *_ = site
    cookie = await tied_to(lb, "s1")
    await lb.put("s1", state="drain")
    await lb.put("s2", state="maintenance")
    assert (await lb.get()).status == 503
    assert (await lb.get(Cookie=cookie)).status == 200


async def test_maintenance_moves_sessions_once_and_lets_requests_in_flight_end(
    site: tuple[Lb, Backend, Backend],
) -> None:
    lb, s1, _ = site
    cookie = await tied_to(lb, "s1")
    arrived, may_answer = asyncio.Event(), asyncio.Event()

    async def script(peer: Peer, seen: Seen) -> None:
        arrived.set()
        await may_answer.wait()
        await peer.answer(b"late, but whole")

    s1.script = script
    in_flight = asyncio.ensure_future(lb.get(Cookie=cookie))
    await arrived.wait()
    await lb.put("s1", state="maintenance")
    moved = await lb.get(Cookie=cookie)
    assert (moved["x-lab-server"], moved["x-lab-moved-from"]) == ("s2", "s1")
    may_answer.set()
    assert (await in_flight).body == b"late, but whole"
    await lb.put("s1", state="ready")
    await lb.until("s1", "up")
    assert (await lb.counters())["sessions_moved"] <= 2


async def test_a_server_that_says_it_is_not_ready_gets_nothing_until_it_is(
    site: tuple[Lb, Backend, Backend],
) -> None:
    lb, s1, _ = site
    s1.ready = "503 Service Unavailable"
    assert (await lb.until("s1", "down"))["cause"] == "L7STS 503"
    assert {(await lb.get())["x-lab-server"] for _ in range(4)} == {"s2"}
    s1.ready = "200 OK"
    assert (await lb.until("s1", "up"))["cause"] == "L7OK 200"


async def test_a_server_is_starting_until_its_first_good_check(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    s1 = await backend("s1")
    s1.ready = "503 Service Unavailable"
    lb = await start_lb(s1, up=False)
    assert (await lb.server("s1"))["state"] == "starting"
    assert (await lb.get()).status == 503
    s1.ready = "200 OK"
    await lb.until("s1", "up")
    assert (await lb.get()).status == 200


async def test_a_server_joins_and_leaves_under_load_and_nobody_notices(
    site: tuple[Lb, Backend, Backend], backend: OpenBackend
) -> None:
    lb, *_ = site
    stop = asyncio.Event()
    statuses: set[int] = set()

    async def shop() -> None:
        wire = await lb.wire()
        while not stop.is_set():
            statuses.add((await wire.get()).status)

    shoppers = [asyncio.ensure_future(shop()) for _ in range(8)]
    s3 = await backend("s3")
    assert (await lb.put("s3", address=s3.address))["state"] == "starting"
    await lb.until("s3", "up")
    while not s3.seen:
        await asyncio.sleep(0.01)
    assert (await lb.api("DELETE", "/servers/s3"))[0] == 204
    asked = len(s3.seen)
    for _ in range(10):
        await lb.get()
    stop.set()
    await asyncio.gather(*shoppers)
    assert statuses == {200}
    assert len(s3.seen) <= asked + len(shoppers)
    assert [server["name"] for server in (await lb.api("GET", "/servers"))[1]["servers"]] == ["s1", "s2"]


async def test_sessions_of_a_removed_server_move(site: tuple[Lb, Backend, Backend]) -> None:
    lb, *_ = site
    cookie = await tied_to(lb, "s1")
    await lb.api("DELETE", "/servers/s1")
    answer = await lb.get(Cookie=cookie)
    assert (answer["x-lab-server"], answer["x-lab-moved-from"]) == ("s2", "s1")


async def test_weights_divide_new_sessions(site: tuple[Lb, Backend, Backend]) -> None:
    lb, s1, s2 = site
    await lb.put("s1", weight=3)
    for _ in range(20):
        await lb.get()
    assert (len(s1.seen), len(s2.seen)) == (15, 5)
    await lb.put("s1", weight=0)
    assert {(await lb.get())["x-lab-server"] for _ in range(5)} == {"s2"}


async def test_the_pool_is_shown_as_it_is(site: tuple[Lb, Backend, Backend]) -> None:
    lb, s1, _ = site
    await tied_to(lb, "s1")
    _, shown = await lb.api("GET", "/servers")
    assert (shown["listen"], shown["sticky"], shown["balance"]) == (
        f"127.0.0.1:{lb.port}",
        "learn",
        "roundrobin",
    )
    first = shown["servers"][0]
    assert first["changed_at"] > 1.7e9
    assert {**first, "changed_at": 0} == {
        "name": "s1",
        "address": s1.address,
        "state": "up",
        "cause": "L7OK 200",
        "code": "L7OK",
        "changed_at": 0,
        "weight": 1,
        "pace": 1,
        "backup": False,
        "active": 0,
        "sessions": 1,
        "requests": 1,
    }


async def test_the_table_is_shown_in_pages_and_never_a_cookie(site: tuple[Lb, Backend, Backend]) -> None:
    lb, *_ = site
    cookies = [str((await lb.get())["set-cookie"]).split(";", 1)[0].partition("=")[2] for _ in range(7)]
    expected = sorted(sha256(value.encode()).hexdigest()[:12] for value in cookies)
    got: list[str] = []
    after = ""
    while after is not None:
        _, page = await lb.api("GET", f"/sessions?limit=3&after={after}")
        assert page["total"] == 7
        got += [session["session"] for session in page["sessions"]]
        after = page["next"]
    assert got == expected
    _, of_s1 = await lb.api("GET", "/sessions?server=s1")
    assert {session["server"] for session in of_s1["sessions"]} == {"s1"}
    assert of_s1["total"] == (await lb.server("s1"))["sessions"]
    for name in (cookies[0], sha256(cookies[0].encode()).hexdigest()[:12]):
        status, found = await lb.api("GET", f"/sessions/{name}")
        assert (status, found["idle_seconds"] < 60) == (200, True)
    status, refusal = await lb.api("GET", "/sessions/nobody")
    assert (status, "no such session" in refusal["error"]) == (404, True)


async def test_events_tell_of_servers_and_sessions_as_it_happens(site: tuple[Lb, Backend, Backend]) -> None:
    lb, s1, _ = site
    cookie = await tied_to(lb, "s1")
    url = f"http://127.0.0.1:{lb.said['admin_port']}/events?history=1"
    told: list[dict[str, Any]] = []
    async with asyncio.timeout(10), aiohttp.ClientSession() as session, session.get(url) as stream:
        assert stream.content_type == "text/event-stream"
        s1.close()
        await lb.get(Cookie=cookie)
        async for line in stream.content:
            if line.startswith(b"data: "):
                told.append(json.loads(line[6:]))
                if {"moved", "down"} <= {told[-1]["kind"], *(event["to"] for event in told)} | {
                    event["kind"] for event in told
                }:
                    break
    assert [event["seq"] for event in told] == list(range(1, len(told) + 1))
    servers = [(event["server"], event["from"], event["to"]) for event in told if event["kind"] == "server"]
    assert {event["code"] for event in told if event["kind"] == "server"} >= {"NEW", "L7OK", "L4CON"}
    assert servers[:2] == [("s1", None, "starting"), ("s2", None, "starting")]
    assert ("s1", "up", "down") in servers
    (moved,) = [event for event in told if event["kind"] == "moved"]
    value = cookie.partition("=")[2]
    assert moved["session"] == sha256(value.encode()).hexdigest()[:12]
    assert (moved["from"], moved["to"]) == ("s1", "s2")
    assert moved["cause"] in ("connection_refused", "connection_terminated", "down")


async def test_metrics_are_prometheus_text_and_agree_with_the_counters(
    site: tuple[Lb, Backend, Backend],
) -> None:
    lb, s1, _ = site
    cookie = await tied_to(lb, "s1")
    s1.close()
    await lb.get(Cookie=cookie)
    _, text = await lb.api("GET", "/metrics")
    counters = await lb.counters()
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert samples["haproxy_frontend_http_requests_total",] == counters["requests"]
    assert samples["haproxy_frontend_http_responses_total", "2xx"] == counters["responses"]["2xx"]
    moved = {key: value for key, value in samples.items() if key[0] == "sessions_moved_total"}
    assert sum(moved.values()) == counters["sessions_moved"] == 1


@pytest.mark.parametrize(
    ("method", "path", "wanted", "status", "says"),
    [
        ("PUT", "/servers/s9", {"state": "drain"}, 404, "give its address to add it"),
        ("PUT", "/servers/s1", {"state": "dance"}, 400, "expected one of ready, drain, maintenance"),
        ("PUT", "/servers/s1", {"address": "nowhere"}, 400, "expected HOST:PORT"),
        ("PUT", "/servers/a%20b", {"address": "127.0.0.1:1"}, 400, "is no server name"),
        ("PUT", "/servers/s1", {"weight": -1}, 400, "from 0 to 256"),
        ("PUT", "/servers/s1", {"weight": True}, 400, "whole number"),
        ("PUT", "/servers/s1", {"colour": "red"}, 400, "expected an object of one or more of"),
        ("PUT", "/servers/s1", {"backup": True}, 400, "said when a server is added"),
        ("PUT", "/servers/s1", [], 400, "expected an object"),
        ("DELETE", "/servers/s9", None, 404, "the servers are: s1, s2"),
        ("GET", "/sessions?limit=0", None, 400, "from 1 to 1000"),
        ("GET", "/sessions?server=s9", None, 404, "there is no server s9"),
    ],
)
async def test_a_wish_that_cannot_be_is_refused_with_what_could(
    site: tuple[Lb, Backend, Backend], method: str, path: str, wanted: object, status: int, says: str
) -> None:
    lb, *_ = site
    got, refusal = await lb.api(method, path, wanted)
    assert (got, says in refusal["error"]) == (status, True), refusal
