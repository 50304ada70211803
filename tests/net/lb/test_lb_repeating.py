"""A client that repeats itself: a head is known by its bytes, and nothing else of it is taken for granted."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import pytest

from tests.net.lb.conftest import request

if TYPE_CHECKING:
    from tests.net.lb.conftest import Backend, Lb, OpenBackend, StartLb

HEAD = b"GET /again HTTP/1.1\r\nHost: shop\r\n\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: shop\r\n\r\n"
#: Each begins as the good request before it does, or ends as it does, and is none.
ALMOST = {
    "two-requests-lines": b"GET /again HTTP/1.1\r\n" + HEAD,
    "line-in-the-target": b"GET /a\r\nGET /again HTTP/1.1\r\nHost: shop\r\n\r\n",
    "space-in-the-target": b"GET /a b HTTP/1.1\r\nHost: shop\r\n\r\n",
    "version-in-the-target": b"GET HTTP/1.1 HTTP/1.1\r\nHost: shop\r\n\r\n",
    "no-target": b"GET HTTP/1.1\r\nHost: shop\r\n\r\n",
    "second-host": b"GET /again HTTP/1.1\r\nHost: shop\r\nHost: shop\r\n\r\n",
    "bare-lf-at-the-end": b"GET /again HTTP/1.1\r\nHost: shop\r\n\n",
    "other-method-with-a-quote": b'G"T /again HTTP/1.1\r\nHost: shop\r\n\r\n',
}


@pytest.mark.parametrize("bad", ALMOST.values(), ids=ALMOST)
async def test_a_good_request_before_makes_no_bad_one_good(
    shared_site: tuple[Lb, Backend], bad: bytes
) -> None:
    lb, server = shared_site
    server.seen.clear()
    wire = await lb.wire()
    assert [(await wire.ask(HEAD)).status for _ in range(2)] == [200, 200]
    await wire.send(bad + SMUGGLED)
    got = await wire.rest()
    assert re.findall(rb"HTTP/1\.1 (\d{3})", got) == [b"400"], got
    assert [seen.target for seen in server.seen if seen.target != "/again"] == []


async def test_the_same_head_with_other_bodies_brings_each_body(shared_site: tuple[Lb, Backend]) -> None:
    lb, server = shared_site
    server.seen.clear()
    wire = await lb.wire()
    bodies = [b"first", b"other", b"third"]
    for body in bodies:
        assert (await wire.ask(request("POST", "/add", body))).status == 200
    assert [seen.body for seen in server.seen] == bodies


@pytest.mark.parametrize("cut", [1, 5, len(HEAD) - 2, len(HEAD) + 3, 1000])
async def test_the_same_head_is_known_in_any_cut(shared_site: tuple[Lb, Backend], cut: int) -> None:
    lb, server = shared_site
    server.seen.clear()
    wire = await lb.wire()
    await wire.ask(HEAD)
    stream = HEAD * 3 + HEAD.replace(b"again", b"other") + HEAD
    for start in range(0, len(stream), cut):
        wire.writer.write(stream[start : start + cut])
        await asyncio.sleep(0)
    targets = [(await wire.answer()).json["target"] for _ in range(5)]
    assert targets == ["/again", "/again", "/again", "/other", "/again"]


async def test_a_cookie_that_changes_between_two_requests_is_seen(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    one, two = await backend("s1"), await backend("s2")
    lb = await start_lb(one, two, flags=("--sticky", "cookie"))
    wire = await lb.wire()
    for name in ("s1", "s2", "s2", "s1", "s1"):
        await wire.get("/", Cookie=f"LABSRV={name}")
    assert (len(one.seen), len(two.seen)) == (3, 2)


async def test_a_tie_that_was_read_before_heeds_that_the_servers_changed(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    one, two = await backend("s1"), await backend("s2")
    lb = await start_lb(one, two, flags=("--sticky", "cookie"))
    wire = await lb.wire()
    both = {"Cookie": "LABSRV=s1; LABSRV=s2"}
    await lb.put("s1", state="maintenance")
    for _ in range(2):
        await wire.get("/", **both)
    await lb.put("s1", state="ready")
    await lb.until("s1", "up")
    await wire.get("/", **both)
    assert (len(one.seen), len(two.seen)) == (1, 2)
