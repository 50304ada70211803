"""A head that is read as a variation of the one before means what it means when it is read alone."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lb.cookie import CookieForm, CookieSticky
from lb.failover import Failover
from lb.onward import onward
from lb.pool import Pool
from lb.refusals import BadMessage
from lb.request import Fields, RequestHead, parse_request
from lb.sticky import NoSticky
from lb.variation import varied

TAIL = b"Via: 1.1 lb\r\n\r\n"
COOKIE = CookieSticky(CookieForm(), Pool(lambda: 0.0), Failover.REBALANCE, lambda: 0.0, app_cookie="sid")
LINES = [
    b"Host: shop", b"Host: other", b"HOST: shop", b"host:a/b",
    b"Cookie: a=1", b"Cookie: a=1; LABSRV=s1", b"cookie: LABSRV=s2", b"Cookie: LABSRV=s1;  b=2",
    b"Cookie: a=2",
    b"Content-Length: 5", b"Content-Length: 0", b"Content-Length:  17 ", b"Content-Length: +5",
    b"Content-Length: 5, 5", b"content-length: 8", b"Content_Length: 7",
    b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip",
    b"Idempotency-Key: a", b"Idempotency-Key: b",
    b"Connection: close", b"Connection: X-A", b"Connection: X-A, Idempotency-Key", b"Connection: upgrade",
    b"Connection: keep-alive", b"Connection: Cookie, Content-Length",
    b"Upgrade: websocket", b"Upgrade: h2c", b"Expect: 100-continue", b"Expect: pony",
    b"X-A: 1", b"X-A: 2", b"X-A: 3", b"x-a: 2", b"X-B: 1", b"X-A : 1", b" X-A: 1", b"X-A: \x00",
    b"X-A: \n", b"X-A: \r", b"X-A", b": 1",
    b"Via: 1.1 a", b"TE: trailers", b"Forwarded: for=a",
    b"X-Forwarded-For: 1.2.3.4", b"X-Forwarded-For: 4.3.2.1",
]  # fmt: skip
SEEN = (
    "claims", "cookies", "expects_continue", "has_key", "host", "is_http10", "keep_alive", "key", "length",
    "onward", "raw", "sessions", "marks", "upgrade", "via",
)  # fmt: skip
heads = st.lists(st.sampled_from(LINES), min_size=1, max_size=7)


def head(lines: list[bytes], version: bytes = b"HTTP/1.1") -> bytes:
    return b"GET / %b\r\n" % version + b"".join(line + b"\r\n" for line in lines)


def ready(fields: Fields, sticky: NoSticky | CookieSticky) -> None:
    if not fields.onward:
        fields.tail = TAIL
        fields.onward = onward(sticky.onward(fields), TAIL)


def read(
    text: bytes, last: Fields | None, sticky: NoSticky | CookieSticky, *, trusted: bool
) -> RequestHead | int:
    vary = partial(varied, cookie_onward=sticky.cookie_onward)
    try:
        got = parse_request(text, last, trusted=trusted, vary=vary)
    except BadMessage as error:
        return error.status
    ready(got.fields, sticky)
    return got


changes_at = st.tuples(st.integers(0, 6), st.sampled_from(LINES))


@pytest.mark.parametrize("trusted", [False, True])
@pytest.mark.parametrize("sticky", [COOKIE, NoSticky()])
@example(first=[b"Connection: X-A", b"X-A: 1"], changes=[(2, b"X-A: 2")], version=b"HTTP/1.1")
@example(first=[b"Cookie: LABSRV=s2"], changes=[(1, b"Cookie: a=1; LABSRV=s1")], version=b"HTTP/1.1")
@example(first=[b"Cookie: LABSRV=s2", b"Cookie: a=1"], changes=[(2, b"Cookie: a=2")], version=b"HTTP/1.1")
@given(
    first=heads,
    changes=st.lists(changes_at, max_size=3),
    version=st.sampled_from([b"HTTP/1.1", b"HTTP/1.0"]),
)
def test_a_head_read_after_another_is_the_same_as_one_read_alone(
    sticky: NoSticky | CookieSticky,
    first: list[bytes],
    changes: list[tuple[int, bytes]],
    version: bytes,
    *,
    trusted: bool,
) -> None:
    last: Fields | None = None
    lines = [b"Host: shop", *first]
    for at, line in [(0, lines[0]), *changes]:  # one after the other: each is the last of the next
        lines[at % len(lines)] = line
        text = head(lines, version)
        after, alone = (read(text, before, sticky, trusted=trusted) for before in (last, None))
        if isinstance(after, int) or isinstance(alone, int):
            assert after == alone, text
            return
        for name in SEEN:
            assert getattr(after.fields, name) == getattr(alone.fields, name), (name, text)
        last = after.fields


@pytest.mark.parametrize(
    ("before", "now", "is_variation"),
    [
        ([b"X-A: 1"], [b"X-A: 2"], True),
        ([b"Idempotency-Key: a", b"Content-Length: 5"], [b"Idempotency-Key: b", b"Content-Length: 6"], True),
        ([b"Cookie: a=1"], [b"Cookie: LABSRV=s1; a=2"], True),
        ([b"X-A: 1"], [b"X-B: 1"], False),
        ([b"X-A: 1"], [b"X-A: 1", b"X-B: 1"], False),
        ([b"Connection: close"], [b"Connection: X-A"], False),
        ([b"Content-Length: 0"], [b"Content-Length: 5"], False),
        ([b"Cookie: a", b"Cookie: b"], [b"Cookie: a", b"Cookie: c"], False),
    ],
)
def test_only_a_few_values_make_a_variation(
    before: list[bytes], now: list[bytes], *, is_variation: bool
) -> None:
    last = parse_request(head([b"Host: shop", *before])).fields
    ready(last, COOKIE)
    _, _, raw = head([b"Host: shop", *now]).partition(b" / ")
    assert (varied(last, raw, COOKIE.cookie_onward) is not None) == is_variation
