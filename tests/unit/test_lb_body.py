"""Bodies, fed in any cut: the same payload, the same end, the same refusals."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as some

from lb.body import MAX_CHUNK_LINE, MAX_TRAILERS, ChunkedBody, EndlessBody, SizedBody, body_of, frame
from lb.http1 import CHUNKED, UNTIL_CLOSE
from lb.refusals import BadMessage

if TYPE_CHECKING:
    from lb.body import Body


def fed(body: Body, data: bytes, cuts: list[int]) -> tuple[bytes, bytes]:
    """The payload and what is left behind the end, with ``data`` cut at ``cuts``."""
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    payload = b""
    for start, end in pairwise(edges):
        if body.done:
            return payload, body.rest + data[start:]
        payload += body.feed(data[start:end])
    return payload, body.rest


def one_by_one(data: bytes) -> list[int]:
    return list(range(len(data)))


@given(
    some.lists(some.binary(min_size=1, max_size=50), max_size=6),
    some.binary(max_size=9),
    some.lists(some.integers(0, 999)),
)
def test_chunks_give_their_payload_in_any_cut(chunks: list[bytes], behind: bytes, cuts: list[int]) -> None:
    data = b"".join(frame(chunk, done=False) for chunk in chunks) + frame(b"", done=True) + behind
    body = ChunkedBody()
    assert fed(body, data, cuts) == (b"".join(chunks), behind)
    assert body.done


@given(some.binary(max_size=99), some.binary(max_size=9), some.lists(some.integers(0, 999)))
def test_a_sized_body_ends_at_its_size_in_any_cut(payload: bytes, behind: bytes, cuts: list[int]) -> None:
    body = SizedBody(len(payload))
    assert fed(body, payload + behind, cuts) == (payload, behind)
    assert body.done


@pytest.mark.parametrize(
    ("data", "payload"),
    [
        (b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
        (b"5;name=value\r\nhello\r\n0;x\r\n\r\n", b"hello"),
        (b'5 ;a="b c"\r\nhello\r\n0\r\n\r\n', b"hello"),
        (b"00005\r\nhello\r\n000\r\n\r\n", b"hello"),
        (b"a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", b"0123456789" * 2),
        (b"5\r\nhello\r\n0\r\nX-Trailer: 1\r\nContent-Length: 9\r\n\r\n", b"hello"),
    ],
)
def test_extensions_and_trailers_are_read_and_dropped(data: bytes, payload: bytes) -> None:
    for cuts in ([], one_by_one(data)):
        assert fed(ChunkedBody(), data, cuts) == (payload, b"")


BAD_CHUNKS = {
    "hex-prefix": b"0x2\r\nab\r\n",
    "underscore": b"0_2\r\nab\r\n",
    "plus": b"+2\r\nab\r\n",
    "minus": b"-1\r\nab\r\n",
    "empty": b"\r\nab\r\n",
    "space-before": b" 2\r\nab\r\n",
    "space-behind": b"2 \r\nab\r\n",
    "too-many-digits": b"0" * 16 + b"2\r\nab\r\n",
    "not-hex": b"g\r\nab\r\n",
    "bare-lf-behind-size": b"2\nab\r\n",
    "bare-lf-behind-data": b"2\r\nab\n0\r\n\r\n",
    "bare-cr-behind-size": b"2\rab\r\n",
    "data-longer-than-size": b"2\r\nabc\r\n",
    "lf-in-extension": b"2;a\nb\r\nab\r\n",
    "nul-in-extension": b"2;a\0b\r\nab\r\n",
    "long-extension": b"2;" + b"a" * MAX_CHUNK_LINE + b"\r\nab\r\n",
    "trailer-without-colon": b"0\r\nnonsense\r\n\r\n",
    "folded-trailer": b"0\r\nA: b\r\n c\r\n\r\n",
    "bare-lf-trailer": b"0\r\nA: b\n\n",
    "long-trailers": b"0\r\n" + b"A: " + b"a" * MAX_TRAILERS + b"\r\n\r\n",
    "many-trailers": b"0\r\n" + b"A: b\r\n" * MAX_TRAILERS + b"\r\n",
}


@pytest.mark.parametrize("data", BAD_CHUNKS.values(), ids=BAD_CHUNKS)
def test_ambiguous_chunk_framing_is_refused_in_any_cut(data: bytes) -> None:
    for cuts in ([], one_by_one(data)):
        with pytest.raises(BadMessage) as refusal:
            fed(ChunkedBody(), data, cuts)
        assert refusal.value.status == 400


def test_an_endless_body_takes_everything() -> None:
    body = EndlessBody()
    assert body.feed(b"abc") == b"abc"
    assert not body.done


@pytest.mark.parametrize(
    ("length", "kind"), [(CHUNKED, ChunkedBody), (UNTIL_CLOSE, EndlessBody), (0, SizedBody), (5, SizedBody)]
)
def test_a_heads_length_names_the_reader(length: int, kind: type) -> None:
    body = body_of(length)
    assert isinstance(body, kind)
    assert body.done is (length == 0)
