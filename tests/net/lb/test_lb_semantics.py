"""HTTP between two parties that take it seriously: what is passed on, kept back, and never mixed up."""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import TYPE_CHECKING

import h11
import psutil
import pytest

if TYPE_CHECKING:
    from tests.net.lb.conftest import Backend, Lb, OpenBackend, Peer, Seen, StartLb

MIB = 1 << 20
POST = b"POST / HTTP/1.1\r\nHost: shop\r\n"


@pytest.fixture(name="site")
async def _site(start_lb: StartLb, backend: OpenBackend) -> tuple[Lb, Backend]:
    server = await backend("s1")
    return await start_lb(server), server


@pytest.mark.parametrize(
    "lines",
    ["Content-Length: 5\r\nContent-Length: 5", "Content-Length: 5, 5", "Content-Length:\x0b5"],
    ids=["two-lines", "one-line", "vertical-tab"],
)
async def test_p13_a_length_that_is_said_twice_is_never_passed_on_twice(
    site: tuple[Lb, Backend], lines: str
) -> None:
    lb, server = site
    answer = await lb.ask(POST + lines.encode() + b"\r\n\r\nhello")
    assert (answer.status, server.seen) == (400, [])


async def test_p12_the_host_of_an_absolute_target_is_the_one_that_counts(site: tuple[Lb, Backend]) -> None:
    lb, server = site
    assert (await lb.ask(b"GET http://real:81/a?b HTTP/1.1\r\nHost: said\r\n\r\n")).status == 200
    (seen,) = server.seen
    assert (seen.target, seen.all("host"), seen.all("x-forwarded-host")) == ("/a?b", ["real:81"], ["real:81"])


async def test_http_1_0_without_a_host_goes_on_with_an_empty_one(site: tuple[Lb, Backend]) -> None:
    """It goes on as HTTP/1.1, where there is always one (RFC 9112 3.2)."""
    lb, server = site
    await lb.ask(b"GET / HTTP/1.0\r\n\r\n")
    (seen,) = server.seen
    assert (seen.all("host"), seen.all("x-forwarded-host")) == ([""], [])


async def test_p14_p15_what_looks_like_framing_and_is_none_goes_no_further(site: tuple[Lb, Backend]) -> None:
    lb, server = site
    data = POST + b"Transfer-Encoding: chunked\r\nTrailer: X-Evil\r\nContent_Length: 9\r\n\r\n"
    data += b'2;ext="a;b"\r\nok\r\n0\r\nX-Evil: 1\r\nContent-Length: 7\r\n\r\n'
    assert (await lb.ask(data)).status == 200
    (seen,) = server.seen
    assert seen.body == b"ok"
    names = {line.partition(":")[0].lower() for line in seen.lines}
    assert names.isdisjoint({"x-evil", "trailer", "content_length", "content-length"})


async def test_s01_connection_takes_away_what_it_names_but_not_what_routing_needs(
    site: tuple[Lb, Backend],
) -> None:
    lb, server = site
    named = b"Connection: keep-alive, X-Secret, Host, Cookie, X-Forwarded-For, Content-Length\r\n"
    await lb.ask(POST + named + b"X-Secret: 1\r\nCookie: a=1\r\nContent-Length: 5\r\n\r\nhello")
    (seen,) = server.seen
    assert seen.all("x-secret") == []
    assert (seen.all("host"), seen.all("cookie"), seen.body) == (["shop"], ["a=1"], b"hello")
    assert len(seen.all("x-forwarded-for")) == 1


async def test_s02_fields_of_one_hop_are_not_passed_on_either_way(site: tuple[Lb, Backend]) -> None:
    lb, server = site

    async def script(peer: Peer, seen: Seen) -> None:
        hop = ("Keep-Alive: timeout=9", "Proxy-Connection: x", "Upgrade: h2", "Connection: X-Inner")
        await peer.answer(b"", *hop, "X-Inner: 1", "X-Outer: 2")

    server.script = script
    fields = {"TE": "trailers, deflate", "Keep_Alive": "timeout=5", "Proxy_Connection": "close"}
    answer = await lb.get(Upgrade="h2c", **fields)
    (seen,) = server.seen
    passed = {line.partition(":")[0].lower() for line in seen.lines}
    assert passed == {"host", "via", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"}
    came = {name.lower() for name, _ in answer.fields}
    assert came.isdisjoint({"keep-alive", "proxy-connection", "upgrade", "x-inner"})
    assert answer["x-outer"] == "2"


async def test_s06_a_client_that_does_not_wait_for_100_is_served_too(site: tuple[Lb, Backend]) -> None:
    lb, _ = site
    wire = await lb.wire()
    data = POST + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello"
    assert [(await wire.ask(data)).json["size"] for _ in range(2)] == [5, 5]


async def test_s07_an_upload_that_nobody_wants_is_refused_without_taking_it_in(
    site: tuple[Lb, Backend],
) -> None:
    lb, server = site

    async def refuse(peer: Peer, seen: Seen) -> None:
        await peer.answer(b"too much", status="413 Content Too Large")
        await peer.reader.read()

    server.script = refuse
    process = psutil.Process(lb.process.pid)
    before = process.memory_info().rss
    wire = await lb.wire()
    wire.writer.write(POST + b"Content-Length: %d\r\n\r\n" % (100 * MIB) + bytes(100 * MIB))
    answer = await wire.answer("POST")
    assert (answer.status, answer.body) == (413, b"too much")
    assert process.memory_info().rss - before < 4 * MIB


async def test_s11_a_compressed_body_passes_as_the_bytes_it_is(site: tuple[Lb, Backend]) -> None:
    lb, server = site
    packed = gzip.compress(b"cart" * 1000)

    async def script(peer: Peer, seen: Seen) -> None:
        await peer.answer(packed, "Content-Encoding: gzip", "content-TYPE: text/plain", "ETag: W/x")

    server.script = script
    answer = await lb.get()
    assert (answer.body, answer["content-encoding"]) == (packed, "gzip")


TARGETS = [
    "/a;b=1?c;d",
    "/%0d%0aX:%20y",
    "//double//",
    "/a/../../etc/passwd",
    "/./%2e%2e/",
    "/caf%C3%A9?q=%E2%82%AC",
    "/%zz",
    "/?",
    "/'\"<>{}|\\^`",
]


async def test_s14_targets_arrive_byte_for_byte(site: tuple[Lb, Backend]) -> None:
    lb, server = site
    wire = await lb.wire()
    for target in TARGETS:
        assert (await wire.get(target)).status == 200, target
    assert [seen.target for seen in server.seen] == TARGETS


async def test_s15_methods_nobody_knows_pass_and_connect_does_not(site: tuple[Lb, Backend]) -> None:
    lb, server = site
    for method, target in (("BREW", "/pot"), ("TRACE", "/"), ("OPTIONS", "*"), ("PROPFIND", "/dav")):
        assert (await lb.ask(f"{method} {target} HTTP/1.1\r\nHost: shop\r\n\r\n".encode())).status == 200
    refused = await lb.ask(b"CONNECT shop:80 HTTP/1.1\r\nHost: shop:80\r\n\r\n")
    assert refused.status == 501
    assert [(seen.method, seen.target) for seen in server.seen] == [
        ("BREW", "/pot"), ("TRACE", "/"), ("OPTIONS", "*"), ("PROPFIND", "/dav"),
    ]  # fmt: skip


async def test_s16_a_thousand_requests_of_one_connection_go_round_and_never_cross(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    servers = [await backend(f"s{n}") for n in (1, 2, 3)]
    lb = await start_lb(*servers)
    wire = await lb.wire()
    for number in range(1000):
        got = (await wire.get(f"/{number}")).json
        assert (got["target"], got["server"]) == (f"/{number}", f"s{number % 3 + 1}")


async def test_s17_a_connection_whose_answer_was_not_read_to_its_end_serves_nobody_else(
    site: tuple[Lb, Backend],
) -> None:
    lb, server = site
    began = asyncio.Event()

    async def script(peer: Peer, seen: Seen) -> None:
        if seen.target != "/half":
            await peer.answer(json.dumps([seen.target, seen.connection]).encode())
            return
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nsecret")
        began.set()
        await peer.reader.read()

    server.script = script
    one, other = await lb.wire(), await lb.wire()
    shared = (await one.get("/first")).json[1]
    for number in range(20):
        for wire, target in ((one, f"/one/{number}"), (other, f"/other/{number}")):
            assert (await wire.get(target)).json == [target, shared]
    await one.send(b"GET /half HTTP/1.1\r\nHost: shop\r\n\r\n")
    await began.wait()
    one.writer.transport.abort()
    target, connection = (await other.get("/after")).json
    assert (target, connection != shared) == ("/after", True)


async def test_f04_a_chunked_answer_that_is_cut_has_no_end(site: tuple[Lb, Backend]) -> None:
    lb, server = site

    async def script(peer: Peer, seen: Seen) -> None:
        await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        peer.reset()

    server.script = script
    wire = await lb.wire()
    await wire.send(b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n")
    assert not (await wire.rest()).endswith(b"0\r\n\r\n")
    assert len(server.seen) == 1


async def test_f04_a_sized_answer_that_is_cut_is_short(site: tuple[Lb, Backend]) -> None:
    lb, server = site

    async def script(peer: Peer, seen: Seen) -> None:
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello")
        peer.reset()

    server.script = script
    with pytest.raises((h11.RemoteProtocolError, ConnectionError)):
        await lb.get()
    assert len(server.seen) == 1
