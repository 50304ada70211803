"""Bytes that are no request: refused at once, the connection closed, and nothing behind them is served."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.net.lb.conftest import Backend, Lb

HOST = b"Host: shop\r\n"
POST = b"POST / HTTP/1.1\r\n" + HOST
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
#: Behind every vector stands a good request. It must never be served: whoever wrote the bytes before
#: it may have meant it as part of a body.
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: shop\r\n\r\n"

VECTORS: dict[str, tuple[bytes, int]] = {
    "length-and-coding": (
        POST + b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG", 400
    ),
    "two-lengths": (POST + b"Content-Length: 0\r\nContent-Length: 44\r\n\r\n", 400),
    "signed-length": (POST + b"Content-Length: +0\r\n\r\n", 400),
    "unknown-coding": (POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501),
    "coding-behind-chunked": (POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", 400),
    "coding-with-space-before-colon": (POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400),
    "coding-with-vertical-tab": (POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", 400),
    "folded-coding": (POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", 400),
    "coding-in-http-1.0": (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "chunk-size-with-prefix": (CHUNKED + b"0x0\r\n\r\n", 400),
    "chunk-size-negative": (CHUNKED + b"-1\r\n\r\n", 400),
    "chunk-size-too-long": (CHUNKED + b"1" * 17 + b"\r\n", 400),
    "chunk-with-bare-lf": (CHUNKED + b"1\na\r\n0\r\n\r\n", 400),
    "chunk-longer-than-its-size": (CHUNKED + b"1\r\nab\r\n0\r\n\r\n", 400),
    "bare-lf": (b"GET / HTTP/1.1\nHost: shop\n\n", 400),
    "bare-cr": (b"GET / HTTP/1.1\r\nHost: shop\rX: y\r\n\r\n", 400),
    "nul": (b"GET / HTTP/1.1\r\nHost: shop\r\nX: \0\r\n\r\n", 400),
    "no-colon": (b"GET / HTTP/1.1\r\nHost: shop\r\nX\r\n\r\n", 400),
    "folded": (b"GET / HTTP/1.1\r\nHost: shop\r\nX: y\r\n z\r\n\r\n", 400),
    "no-host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "two-hosts": (b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
    "fragment": (b"GET /#a HTTP/1.1\r\nHost: shop\r\n\r\n", 400),
    "two-spaces": (b"GET  / HTTP/1.1\r\nHost: shop\r\n\r\n", 400),
    "connect": (b"CONNECT shop:443 HTTP/1.1\r\nHost: shop:443\r\n\r\n", 501),
    "http-0.9": (b"GET /\r\n\r\n", 400),
    "http-2-text": (b"GET / HTTP/2.0\r\nHost: shop\r\n\r\n", 505),
    "http-2-preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "tls": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    "long-target": (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: shop\r\n\r\n", 414),
    "long-head": (b"GET / HTTP/1.1\r\nHost: shop\r\nX: " + b"a" * 17_000 + b"\r\n\r\n", 431),
    "many-fields": (b"GET / HTTP/1.1\r\nHost: shop\r\n" + b"X: y\r\n" * 200 + b"\r\n", 431),
    "unknown-expectation": (POST + b"Expect: a pony\r\nContent-Length: 0\r\n\r\n", 417),
    "lower-case-version": (b"GET / http/1.1\r\nHost: shop\r\n\r\n", 400),
    "comma-host": (b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400),
    "space-in-name": (b"GET / HTTP/1.1\r\nHost: shop\r\nX Y: z\r\n\r\n", 400),
    "space-before-first-field": (b"GET / HTTP/1.1\r\n Host: shop\r\n\r\n", 400),
    "chunk-end-with-bare-lf": (CHUNKED + b"1\r\na\n0\r\n\r\n", 400),
    "trailers-end-with-bare-lf": (CHUNKED + b"0\r\nX: y\n\n", 400),
}  # fmt: skip

LENGTHS = {
    "of-an-int()": b"1_0", "hex": b"0x5", "negative": b"-1", "empty": b"", "list": b"5, 6",
    "2-to-the-64": b"18446744073709551616",
}  # fmt: skip
CODINGS = {
    "identity": (b"identity", 501), "gzip-first": (b"gzip, chunked", 501), "quoted": (b'"chunked"', 400),
    "twice": (b"chunked, chunked", 400), "with-nul": (b"chunked\0", 400),
    "twice-in-two-lines": (b"chunked\r\nTransfer-Encoding: chunked", 400),
    "with-form-feed": (b"chunked\x0c", 400),
}  # fmt: skip
SIZES = {"of-an-int()": b"0_1", "signed": b"+1", "spaced": b" 1", "empty": b"", "huge": b"f" * 17}
VECTORS |= {f"length-{name}": (POST + b"Content-Length: %b\r\n\r\n" % length, 400)
            for name, length in LENGTHS.items()}  # fmt: skip
VECTORS |= {f"coding-{name}": (POST + b"Transfer-Encoding: %b\r\n\r\n0\r\n\r\n" % coding, status)
            for name, (coding, status) in CODINGS.items()}  # fmt: skip
VECTORS |= {f"chunk-size-{name}": (CHUNKED + b"%b\r\na\r\n0\r\n\r\n" % size, 400)
            for name, size in SIZES.items()}  # fmt: skip


@pytest.mark.parametrize(("data", "status"), VECTORS.values(), ids=VECTORS)
async def test_what_is_no_request_is_refused_and_what_follows_is_never_served(
    shared_site: tuple[Lb, Backend], data: bytes, status: int
) -> None:
    lb, server = shared_site
    server.seen.clear()
    wire = await lb.wire()
    await wire.send(data + SMUGGLED)
    got = await wire.rest()
    assert re.findall(rb"HTTP/1\.1 (\d{3})", got) == [str(status).encode()], got
    assert b"Connection: close\r\n" in got
    assert b"Proxy-Status: lb; error=http_request_error" in got
    assert (await lb.get("/after")).status == 200
    assert [seen.target for seen in server.seen if seen.target != "/"] == ["/after"]


@pytest.mark.parametrize("cut", [1, 7])
@pytest.mark.parametrize(
    "name", ["bare-lf", "two-hosts", "chunk-longer-than-its-size", "length-and-coding", "folded"]
)
async def test_the_refusal_is_the_same_however_the_bytes_arrive(
    shared_site: tuple[Lb, Backend], name: str, cut: int
) -> None:
    lb, _ = shared_site
    data, status = VECTORS[name]
    wire = await lb.wire()
    for start in range(0, len(data), cut):
        wire.writer.write(data[start : start + cut])
        await asyncio.sleep(0)
    assert (await wire.answer()).status == status


async def test_a_body_in_a_get_is_framed_exactly(shared_site: tuple[Lb, Backend]) -> None:
    lb, server = shared_site
    server.seen.clear()
    wire = await lb.wire()
    assert (await wire.ask(b"GET / HTTP/1.1\r\nHost: shop\r\nContent-Length: 5\r\n\r\nhello")).json[
        "size"
    ] == 5
    assert (await wire.get("/next")).json["target"] == "/next"
    assert [seen.target for seen in server.seen] == ["/", "/next"]


async def test_a_head_that_does_not_come_is_given_up(shared_site: tuple[Lb, Backend]) -> None:
    lb, _ = shared_site
    wire = await lb.wire()
    await wire.send(b"GET / HTTP/1.1\r\nHost: shop\r\n")
    assert (await wire.answer()).status == 408


async def test_a_trickle_does_not_put_off_the_end_of_the_heads_time(shared_site: tuple[Lb, Backend]) -> None:
    lb, _ = shared_site
    wire = await lb.wire()
    await wire.send(b"GET / HTTP/1.1\r\nHost: shop\r\n")
    answer = asyncio.ensure_future(wire.answer())
    while not answer.done():
        wire.writer.write(b"X: y\r\n")
        await asyncio.sleep(0.05)
    assert (await answer).status == 408


@pytest.mark.parametrize("before", [b"", b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n"], ids=["new", "used"])
async def test_a_connection_without_a_request_is_closed_without_a_word(
    shared_site: tuple[Lb, Backend], before: bytes
) -> None:
    lb, _ = shared_site
    wire = await lb.wire()
    if before:
        assert (await wire.ask(before)).status == 200
    assert await wire.rest() == b""
