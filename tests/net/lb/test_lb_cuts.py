"""However the bytes of a session are cut on their way, both sides get the same."""

from __future__ import annotations

import asyncio
import random
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.net.lb.conftest import OpenBackend, Peer, Seen, StartLb

HOST = b" HTTP/1.1\r\nHost: shop\r\n"
#: Kind: a request's bytes, and the body that its server must get. What it is called stands before.
REQUESTS: dict[str, tuple[bytes, bytes]] = {
    "GET": (b"\r\n", b""),
    "HEAD": (b"Cookie: a=1; cart_sid=x\r\n\r\n", b""),
    "DELETE": (b"X-Long: " + b"y" * 300 + b"\r\n\r\n", b""),
    "PUT": (b"Content-Length: 0\r\n\r\n", b""),
    "POST": (b"Content-Length: 14\r\n\r\n\r\nGET / HTTP\r\n", b"\r\nGET / HTTP\r\n"),
    "PATCH": (
        b"Transfer-Encoding: chunked\r\n\r\n5;x=y\r\nhe\r\nl\r\nC\r\n0\r\n\r\n world!\r\n0\r\nT: 1\r\n\r\n",
        b"he\r\nl0\r\n\r\n world!",
    ),
}  # fmt: skip
#: What a server answers: head, body as it is sent; what a client makes of it: interim statuses, status, body.
ANSWERS: list[tuple[bytes, bytes, list[int], int, bytes]] = [
    (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n", b"\r\n\r\n", [], 200, b"\r\n\r\n"),
    (b"HTTP/1.1 404 \r\nTransfer-Encoding: chunked\r\n\r\n", b"3\r\na\r\n\r\n2;x\r\nbc\r\n0\r\n\r\n",
     [], 404, b"a\r\nbc"),
    (b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", b"ok",
     [103], 200, b"ok"),
    (b"HTTP/1.1 204 No Content\r\n\r\n", b"", [], 204, b""),
    (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", b"", [], 304, b""),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n", b"z" * 70_000, [], 200, b"z" * 70_000),
]  # fmt: skip
SESSIONS = 60


async def send_in_pieces(data: bytes, cuts: list[float], send: Callable[[bytes], Awaitable[None]]) -> None:
    """``cuts`` are places between 0 and 1. Without a pause the kernel would join the pieces again."""
    ends = [0, *sorted(int(cut * len(data)) for cut in cuts), len(data)]
    pieces = [data[begin:end] for begin, end in pairwise(ends) if begin < end]
    while pieces:
        await send(pieces.pop(0))
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("seed", range(3))
async def test_any_cut_of_a_session_gives_the_same_requests_and_answers(
    start_lb: StartLb, backend: OpenBackend, seed: int
) -> None:
    dice = random.Random(seed)  # noqa: S311 - the same sessions each time
    server = await backend("s1")
    lb = await start_lb(server)
    answers: list[int] = []

    def cuts() -> list[float]:
        return [dice.random() for _ in range(dice.choice((0, 1, 3, 12)))]

    async def script(peer: Peer, seen: Seen) -> None:
        await peer.body(seen)
        head, body, *_ = ANSWERS[answers[int(seen.target[1:])]]
        await send_in_pieces(head if seen.method == "HEAD" else head + body, cuts(), peer.send)

    server.script = script
    for _ in range(SESSIONS // 3):
        kinds = dice.choices(sorted(REQUESTS), k=dice.randint(1, 6))
        answers[:] = dice.choices(range(len(ANSWERS)), k=len(kinds))
        server.seen.clear()
        wire = await lb.wire()
        lines = [b"%b /%d" % (kind.encode(), n) for n, kind in enumerate(kinds)]
        asked = b"".join(line + HOST + REQUESTS[kind][0] for line, kind in zip(lines, kinds, strict=True))
        sending = asyncio.ensure_future(send_in_pieces(asked, cuts(), wire.send))
        for kind, which in zip(kinds, answers, strict=True):
            answer = await wire.answer(kind)
            *_, interim, status, body = ANSWERS[which]
            assert (answer.interim, answer.status) == (interim, status)
            assert answer.body == (b"" if kind == "HEAD" else body)
        await sending
        got = [(seen.method, seen.target, seen.body) for seen in server.seen]
        assert got == [(kind, f"/{n}", REQUESTS[kind][1]) for n, kind in enumerate(kinds)]
        await wire.end()
