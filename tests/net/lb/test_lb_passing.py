"""What passes through: every byte, in both directions, as it came."""

from __future__ import annotations

import asyncio
import hashlib
import random
from contextlib import suppress
from typing import TYPE_CHECKING

import h11
import psutil
import pytest

if TYPE_CHECKING:
    from tests.net.lb.conftest import Backend, Lb, OpenBackend, Peer, Seen, StartLb, Wire

MIB = 1 << 20


@pytest.fixture(name="site")
async def _site(start_lb: StartLb, backend: OpenBackend) -> tuple[Lb, Backend]:
    server = await backend("s1")
    return await start_lb(server), server


def noise(size: int) -> bytes:
    return random.Random(7).randbytes(size)  # noqa: S311 - bytes without a pattern, the same each time


async def test_a_large_body_comes_down_byte_for_byte(site: tuple[Lb, Backend]) -> None:
    lb, server = site
    sent = noise(8 * MIB)

    async def script(peer: Peer, seen: Seen) -> None:
        await peer.answer(sent, "X-Served-By: s1")

    server.script = script
    got = await lb.get()
    assert hashlib.sha256(got.body).digest() == hashlib.sha256(sent).digest()


async def test_a_large_body_goes_up_byte_for_byte(site: tuple[Lb, Backend]) -> None:
    lb, server = site
    sent = noise(8 * MIB)
    got = await lb.ask(b"POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: %d\r\n\r\n%b" % (len(sent), sent))
    assert got.json["size"] == len(sent)
    assert hashlib.sha256(server.seen[0].body).digest() == hashlib.sha256(sent).digest()


async def test_a_chunked_upload_arrives_whole_in_any_cut(site: tuple[Lb, Backend]) -> None:
    lb, server = site
    wire = await lb.wire()
    data = b"POST /up HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\n"
    data += b"5;x=1\r\nhello\r\n6\r\n world\r\n0\r\nT: 1\r\n\r\n"
    for index in range(len(data)):
        await wire.send(data[index : index + 1])
        await asyncio.sleep(0)
    assert (await wire.answer("POST")).status == 200
    assert server.seen[0].body == b"hello world"
    assert not server.seen[0].all("t")
    assert not server.seen[0].all("trailer")


async def test_a_chunked_answer_arrives_whole(site: tuple[Lb, Backend]) -> None:
    lb, server = site

    async def script(peer: Peer, seen: Seen) -> None:
        await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel")
        await peer.send(b"lo\r\n6\r\n world\r")
        await peer.send(b"\n0\r\n\r\n")

    server.script = script
    wire = await lb.wire()
    for _ in range(3):
        answer = await wire.get()
        assert (answer.body, answer["transfer-encoding"]) == (b"hello world", "chunked")
    assert len({seen.connection for seen in server.seen}) == 1, "a chunked answer keeps its connection"


async def test_an_answer_that_ends_with_its_connection_is_given_an_end(site: tuple[Lb, Backend]) -> None:
    lb, server = site

    async def script(peer: Peer, seen: Seen) -> None:
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\nuntil the ")
        await peer.send(b"end")
        peer.writer.close()

    server.script = script
    wire = await lb.wire()
    assert (await wire.get()).body == b"until the end"
    assert (await wire.get()).body == b"until the end", "and the client's connection outlives the server's"


@pytest.mark.parametrize("answer", ["chunked", "endless", "sized"])
async def test_an_http_1_0_client_never_sees_a_chunk(site: tuple[Lb, Backend], answer: str) -> None:
    lb, server = site

    async def script(peer: Peer, seen: Seen) -> None:
        if answer == "chunked":
            await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
        elif answer == "endless":
            await peer.send(b"HTTP/1.1 200 OK\r\n\r\nhello")
            peer.writer.close()
        else:
            await peer.answer(b"hello")

    server.script = script
    wire = await lb.wire()
    await wire.send(b"GET / HTTP/1.0\r\n\r\n")
    head, _, body = (await wire.rest()).partition(b"\r\n\r\n")
    assert body == b"hello"
    assert b"chunked" not in head.lower()


async def test_an_http_1_0_client_may_ask_to_stay(site: tuple[Lb, Backend]) -> None:
    lb, _ = site
    wire = await lb.wire()
    for _ in range(3):
        answer = await wire.ask(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert answer["connection"] == "keep-alive"


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
async def test_an_answer_without_a_body_has_none_whatever_its_length_says(
    site: tuple[Lb, Backend], status: str
) -> None:
    lb, server = site

    async def script(peer: Peer, seen: Seen) -> None:
        await peer.send(f"HTTP/1.1 {status}\r\nETag: x\r\n\r\n".encode())

    server.script = script
    wire = await lb.wire()
    for _ in range(3):
        answer = await wire.get()
        assert (f"{answer.status}", answer.body, answer["etag"]) == (status[:3], b"", "x")


async def test_stray_bytes_behind_an_answer_reach_nobody(site: tuple[Lb, Backend]) -> None:
    lb, server = site

    async def script(peer: Peer, seen: Seen) -> None:
        await peer.send(b"HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")

    server.script = script
    wire = await lb.wire()
    for _ in range(3):
        assert (await wire.get()).status == 204
    assert len({seen.connection for seen in server.seen}) == 3, (
        "the connection is out of step, so it is dropped"
    )


async def test_bytes_that_come_while_nobody_asks_end_the_connection(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    server = await backend("s1")
    lb = await start_lb(server, flags=("--server-idle-timeout", "600"))
    closed, asked_back = asyncio.Event(), asyncio.Event()

    async def script(peer: Peer, seen: Seen) -> None:
        await peer.answer(b"ok")
        if len(server.seen) == 1:
            await asked_back.wait()
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")
            with suppress(ConnectionError):
                assert await peer.reader.read() == b""
            closed.set()

    server.script = script
    wire = await lb.wire()
    assert (await wire.get()).body == b"ok"
    asked_back.set()
    await asyncio.wait_for(closed.wait(), 10)
    assert (await wire.get()).body == b"ok"


async def test_head_has_the_length_and_no_body(site: tuple[Lb, Backend]) -> None:
    lb, server = site

    async def script(peer: Peer, seen: Seen) -> None:
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n")

    server.script = script
    wire = await lb.wire()
    for _ in range(3):
        answer = await wire.ask(b"HEAD / HTTP/1.1\r\nHost: shop\r\n\r\n")
        assert (answer["content-length"], answer.body) == ("999", b"")


async def test_fields_pass_in_order_casing_and_number(site: tuple[Lb, Backend]) -> None:
    lb, server = site
    down = [
        "X-One: 1",
        "x-TWO:  a  b",
        "Set-Cookie: a=1; Path=/",
        "set-cookie: b=2",
        "X-One: 2",
        "Content-Encoding: br",
    ]

    async def script(peer: Peer, seen: Seen) -> None:
        await peer.answer(b"\x0b\x02\x80not really br", *down)

    server.script = script
    wire = await lb.wire()
    up = ["hOST: shop", "X-B: 1", "x-a: \xe4", "X-B: 2", "Accept-Encoding: br"]
    await wire.send("\r\n".join(["GET /a?b=%0d%0a;c HTTP/1.1", *up, "", ""]).encode("latin-1"))
    raw = await wire.reader.readuntil(b"\r\n\r\n")
    assert raw.decode().split("\r\n")[1 : 1 + len(down)] == down
    assert server.seen[0].lines[: len(up)] == up
    assert server.seen[0].target == "/a?b=%0d%0a;c"


async def test_the_server_is_told_who_asks_through_whom(site: tuple[Lb, Backend]) -> None:
    lb, server = site
    await lb.get(X_Forwarded_For="6.6.6.6", Via="1.0 fred")
    (seen,) = server.seen
    assert seen.all("x-forwarded-for") == ["127.0.0.1"]
    assert seen.all("x-forwarded-proto") == ["http"]
    assert seen.all("x-forwarded-host") == ["shop"]
    assert seen.all("host") == ["shop"]
    assert seen.all("via")[0] == "1.0 fred"
    assert len(seen.all("via")) == 2


async def test_connections_to_servers_are_kept_and_shared(site: tuple[Lb, Backend]) -> None:
    lb, server = site
    wire = await lb.wire()
    for number in range(100):
        assert (await wire.get(f"/{number}")).json["target"] == f"/{number}"
    for _ in range(5):
        await lb.get()
    assert len({seen.connection for seen in server.seen}) == 1


async def test_pipelined_requests_are_answered_in_order_and_sent_one_by_one(site: tuple[Lb, Backend]) -> None:
    lb, server = site
    under_way, most = 0, 0

    async def script(peer: Peer, seen: Seen) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        await peer.answer(seen.target.encode())

    server.script = script
    wire = await lb.wire()
    await wire.send(b"".join(b"GET /%d HTTP/1.1\r\nHost: shop\r\n\r\n" % n for n in range(50)))
    assert [(await wire.answer()).body for _ in range(50)] == [b"/%d" % n for n in range(50)]
    assert most == 1


async def test_an_empty_line_before_a_request_is_forgiven(site: tuple[Lb, Backend]) -> None:
    lb, _ = site
    wire = await lb.wire()
    assert (await wire.ask(b"\r\nGET / HTTP/1.1\r\nHost: shop\r\n\r\n")).status == 200


async def test_interim_answers_pass_before_the_final_one(site: tuple[Lb, Backend]) -> None:
    lb, server = site

    async def script(peer: Peer, seen: Seen) -> None:
        await peer.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n")
        await peer.answer(b"done")

    server.script = script
    wire = await lb.wire()
    answer = await wire.get()
    assert (answer.interim, answer.body) == ([103, 102], b"done")
    await wire.send(b"GET / HTTP/1.0\r\n\r\n")
    assert (await wire.rest()).startswith(b"HTTP/1.1 200")


async def test_a_client_that_waits_for_100_is_told_to_go_on_by_the_server(site: tuple[Lb, Backend]) -> None:
    lb, server = site

    async def script(peer: Peer, seen: Seen) -> None:
        await peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        await peer.answer(await peer.body(seen))

    server.script = script
    wire = await lb.wire()
    await wire.send(b"POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
    assert (await wire.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100")
    await wire.send(b"hello")
    assert (await wire.answer("POST")).body == b"hello"


async def test_a_refusal_instead_of_100_reaches_the_client_that_waits(site: tuple[Lb, Backend]) -> None:
    lb, server = site

    async def script(peer: Peer, seen: Seen) -> None:
        await peer.answer(b"no", status="413 Content Too Large")

    server.script = script
    wire = await lb.wire()
    await wire.send(b"POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
    answer = await wire.answer("POST")
    assert (answer.status, answer["connection"]) == (413, "close")
    assert await wire.rest() == b""


async def test_an_early_answer_reaches_a_client_that_is_still_uploading(site: tuple[Lb, Backend]) -> None:
    lb, server = site

    async def script(peer: Peer, seen: Seen) -> None:
        await peer.answer(b"too much", status="413 Content Too Large")
        await peer.reader.read()

    server.script = script
    wire = await lb.wire()
    wire.writer.write(b"POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: %d\r\n\r\n" % (100 * MIB))
    wire.writer.write(noise(MIB))
    answer = await wire.answer("POST")
    assert (answer.status, answer.body) == (413, b"too much")


async def test_an_answer_that_is_cut_is_seen_to_be_cut(site: tuple[Lb, Backend]) -> None:
    lb, server = site

    async def sized(peer: Peer, seen: Seen) -> None:
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")
        peer.reset()

    async def chunked(peer: Peer, seen: Seen) -> None:
        await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        peer.writer.close()

    for server.script in (sized, chunked):
        with pytest.raises((h11.RemoteProtocolError, ConnectionResetError, EOFError)):
            await lb.get()
    assert len(server.seen) == 2, "nothing is sent twice once part of an answer is out"


@pytest.mark.parametrize(
    "junk",
    [
        b"not http at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
    ids=["junk", "two-framings"],
)
async def test_a_server_that_does_not_speak_http_is_a_bad_gateway(
    site: tuple[Lb, Backend], junk: bytes
) -> None:
    lb, server = site

    async def script(peer: Peer, seen: Seen) -> None:
        await peer.send(junk)
        await peer.reader.read()

    server.script = script
    answer = await lb.get()
    assert answer.status == 502
    assert "error=http_protocol_error" in (answer["proxy-status"] or "")
    assert (await lb.server("s1"))["active"] == 0


@pytest.mark.parametrize("cut", [100_000, 20_000, 1_000], ids=["one-write", "two-writes", "many-writes"])
@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 40_000,
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + b"X: a\r\n" * 100 + b"\r\n",
    ],
    ids=["endless-head", "large-head", "many-fields"],
)
async def test_too_large_a_head_of_a_server_is_refused_however_it_is_cut(
    site: tuple[Lb, Backend], head: bytes, cut: int
) -> None:
    lb, server = site

    async def script(peer: Peer, seen: Seen) -> None:
        rest = head
        while rest:
            await peer.send(rest[:cut])
            rest = rest[cut:]
            await asyncio.sleep(0.001)  # or the kernel would join the pieces again
        await peer.reader.read()

    server.script = script
    answer = await lb.get()
    assert answer.status == 502
    assert "error=http_response_header_section_size" in (answer["proxy-status"] or "")
    assert (await lb.server("s1"))["active"] == 0


async def test_a_slow_reader_costs_little_memory_and_gets_everything(site: tuple[Lb, Backend]) -> None:
    lb, server = site
    size = 64 * MIB
    piece = noise(MIB)

    async def script(peer: Peer, seen: Seen) -> None:
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(size // MIB):
            await peer.send(piece)

    server.script = script
    process = psutil.Process(lb.process.pid)
    before = process.memory_info().rss
    wire = await lb.wire()
    await wire.send(b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n")
    await wire.reader.readuntil(b"\r\n\r\n")
    got, most = 0, 0
    async with asyncio.timeout(20):
        while got < size:
            got += len(await wire.reader.read(1 << 16))
            if got % 64 == 0:
                most = max(most, process.memory_info().rss - before)
    assert got == size
    assert most < 8 * MIB


async def until_nothing_moves(wire: Wire) -> None:
    """Wait until what is left to send has been the same for a while."""
    left, same = -1, 0
    while same < 20:
        await asyncio.sleep(0.01)
        now_left = wire.writer.transport.get_write_buffer_size()
        left, same = now_left, same + 1 if now_left == left else 0


async def test_a_slow_server_costs_little_memory_and_gets_everything(site: tuple[Lb, Backend]) -> None:
    lb, server = site
    size = 32 * MIB
    may_read = asyncio.Event()

    async def script(peer: Peer, seen: Seen) -> None:
        await may_read.wait()
        await peer.answer(str(len(await peer.body(seen))).encode())

    server.script = script
    process = psutil.Process(lb.process.pid)
    before = process.memory_info().rss
    wire = await lb.wire()
    wire.writer.write(b"POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: %d\r\n\r\n" % size + noise(size))
    await until_nothing_moves(wire)
    assert wire.writer.transport.get_write_buffer_size() > size // 2, "the client is held, too"
    assert process.memory_info().rss - before < 8 * MIB
    may_read.set()
    assert (await wire.answer("POST")).body == str(size).encode()


@pytest.mark.parametrize("phase", ["head", "body", "waiting", "answer"])
async def test_a_client_that_leaves_frees_everything_it_held(site: tuple[Lb, Backend], phase: str) -> None:
    lb, server = site
    arrived = asyncio.Event()

    async def script(peer: Peer, seen: Seen) -> None:
        if phase == "answer":
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nsome")
        arrived.set()
        assert await peer.reader.read() is not None, "the balancer closes the connection to the server"

    server.script = script
    sent = {
        "head": b"GET / HTTP/1.1\r\nHo",
        "body": b"POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 10\r\n\r\nhalf",
        "waiting": b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n",
        "answer": b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n",
    }[phase]
    process = psutil.Process(lb.process.pid)
    before = process.num_fds()
    for _ in range(20):
        wire = await lb.wire()
        await wire.send(sent)
        if phase != "head":
            await asyncio.wait_for(arrived.wait(), 5)
            arrived.clear()
        wire.writer.transport.abort()
    async with asyncio.timeout(10):
        while process.num_fds() > before + 2 or (await lb.server("s1"))["active"]:
            await asyncio.sleep(0.02)
    assert (await lb.counters())["connections"] == 0
