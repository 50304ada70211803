"""Heads of requests and responses: what is refused and how, what passes and what stays behind."""

from __future__ import annotations

import pytest

from lb.diagnosis import diagnose_beginning
from lb.http1 import CHUNKED, MAX_FIELDS, MAX_HEAD, MAX_TARGET, UNTIL_CLOSE
from lb.refusals import BadMessage
from lb.request import RequestHead, parse_request
from lb.response import ResponseHead, parse_response

HOST = b"Host: shop\r\n"
POST = b"POST / HTTP/1.1\r\n" + HOST
FIVE = b"Content-Length: 5\r\n"


def request(*lines: bytes, start: bytes = b"GET / HTTP/1.1") -> RequestHead:
    return parse_request(b"".join(line + b"\r\n" for line in (start, *lines)))


def response(*lines: bytes, start: bytes = b"HTTP/1.1 200 OK", method: bytes = b"GET") -> ResponseHead:
    return parse_response(b"".join(line + b"\r\n" for line in (start, *lines)), method)


#: id: (the head, the status it is refused with, what the refusal says)
BAD_REQUESTS: dict[str, tuple[bytes, int, str]] = {
    "no-host": (b"GET / HTTP/1.1\r\n", 400, "exactly one Host"),
    "two-hosts": (b"GET / HTTP/1.1\r\n" + HOST + HOST, 400, "got 2"),
    "two-hosts-in-one": (b"GET / HTTP/1.1\r\nHost: a, b\r\n", 400, "Host is not"),
    "empty-host": (b"GET / HTTP/1.1\r\nHost: \r\n", 400, "Host is not"),
    "host-with-path": (b"GET / HTTP/1.1\r\nHost: a/b\r\n", 400, "Host is not"),
    "host-with-user": (b"GET / HTTP/1.1\r\nHost: u@a\r\n", 400, "Host is not"),
    "bare-lf": (b"GET / HTTP/1.1\nHost: shop\n\r\n", 400, "CRLF"),
    "bare-lf-in-field": (b"GET / HTTP/1.1\r\nHost: shop\nX: y\r\n", 400, "CRLF"),
    "bare-cr-in-value": (b"GET / HTTP/1.1\r\n" + HOST + b"X: a\rb\r\n", 400, "CRLF"),
    "nul-in-value": (b"GET / HTTP/1.1\r\n" + HOST + b"X: a\0b\r\n", 400, "a byte that"),
    "nul-in-name": (b"GET / HTTP/1.1\r\n" + HOST + b"X\0: a\r\n", 400, "a byte that"),
    "space-in-name": (b"GET / HTTP/1.1\r\n" + HOST + b"X y: a\r\n", 400, "a byte that"),
    "space-before-colon": (b"GET / HTTP/1.1\r\n" + HOST + b"X : a\r\n", 400, "before its colon"),
    "empty-name": (b"GET / HTTP/1.1\r\n" + HOST + b": a\r\n", 400, "a byte that"),
    "no-colon": (b"GET / HTTP/1.1\r\n" + HOST + b"nonsense\r\n", 400, "no colon"),
    "folded": (b"GET / HTTP/1.1\r\n" + HOST + b"X: a\r\n b\r\n", 400, "white space"),
    "space-before-first-field": (b"GET / HTTP/1.1\r\n Host: shop\r\n", 400, "white space"),
    "two-spaces": (b"GET  / HTTP/1.1\r\n" + HOST, 400, "request line"),
    "tab-in-request-line": (b"GET\t/ HTTP/1.1\r\n" + HOST, 400, "request line"),
    "space-in-target": (b"GET /a b HTTP/1.1\r\n" + HOST, 400, "request line"),
    "trailing-space": (b"GET / HTTP/1.1 \r\n" + HOST, 400, "request line"),
    "no-version": (b"GET /\r\n" + HOST, 400, "request line"),
    "lower-case-version": (b"GET / http/1.1\r\n" + HOST, 400, "request line"),
    "http-2-text": (b"GET / HTTP/2.0\r\n" + HOST, 505, "HTTP/2.0 is not spoken"),
    "http-2-preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n", 505, "HTTP/2.0 is not spoken"),
    "method-not-a-token": (b"G@T / HTTP/1.1\r\n" + HOST, 400, "request line"),
    "fragment": (b"GET /a#b HTTP/1.1\r\n" + HOST, 400, "fragment"),
    "raw-utf-8-target": ("GET /ä HTTP/1.1\r\n".encode() + HOST, 400, "percent-encode"),
    "relative-target": (b"GET a HTTP/1.1\r\n" + HOST, 400, "neither a path"),
    "asterisk-for-get": (b"GET * HTTP/1.1\r\n" + HOST, 400, "neither a path"),
    "other-scheme": (b"GET ftp://a/ HTTP/1.1\r\n" + HOST, 400, "neither a path"),
    "url-with-user": (b"GET http://u@a/ HTTP/1.1\r\n" + HOST, 400, "neither a path"),
    "connect": (b"CONNECT a:443 HTTP/1.1\r\n" + HOST, 501, "forward proxies"),
    "long-target": (b"GET /" + b"a" * MAX_TARGET + b" HTTP/1.1\r\n" + HOST, 414, "target is 8193 bytes"),
    "many-fields": (b"GET / HTTP/1.1\r\n" + HOST + b"X: y\r\n" * MAX_FIELDS, 431, "101 fields"),
    "length-and-coding": (
        POST + FIVE + b"Transfer-Encoding: chunked\r\n", 400, "together",
    ),
    "two-lengths": (POST + FIVE + b"Content-Length: 6\r\n", 400, "one number"),
    "equal-lengths": (POST + FIVE + FIVE, 400, "one number"),
    "expects-a-pony": (b"POST / HTTP/1.1\r\n" + HOST + b"Expect: pony\r\n", 417, "100-continue"),
    "chunked-in-http-1.0": (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n", 400, "in HTTP/1.0"),
}  # fmt: skip


@pytest.mark.parametrize(("head", "status", "says"), BAD_REQUESTS.values(), ids=BAD_REQUESTS)
def test_a_request_that_is_not_http_is_refused_with_the_reason(head: bytes, status: int, says: str) -> None:
    with pytest.raises(BadMessage) as refusal:
        parse_request(head)
    assert (refusal.value.status, says in refusal.value.detail) == (status, True), refusal.value.detail


@pytest.mark.parametrize(
    "length",
    [
        b"+5",
        b"-1",
        b"1_0",
        b"0x5",
        b"",
        b"5, 6",
        b"5, 5",
        b"5 5",
        b"5.0",
        b"\xb2",
        b"18446744073709551616",
        b"9" * 99,
    ],
)
def test_a_length_that_is_not_plain_digits_is_refused(length: bytes) -> None:
    with pytest.raises(BadMessage, match="one number of digits") as refusal:
        request(b"Host: shop", b"Content-Length: " + length, start=b"POST / HTTP/1.1")
    assert refusal.value.status == 400
    with pytest.raises(BadMessage) as refusal:
        response(b"Content-Length: " + length)
    assert refusal.value.status == 502


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ([b"Transfer-Encoding: xchunked"], 501),
        ([b"Transfer-Encoding: gzip, chunked"], 501),
        ([b"Transfer-Encoding: gzip"], 501),
        ([b"Transfer-Encoding: identity"], 501),
        ([b"Transfer-Encoding: chunked, gzip"], 400),
        ([b"Transfer-Encoding: chunked, chunked"], 400),
        ([b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"], 400),
        ([b"Transfer-Encoding: chunked", b"transfer-encoding: identity"], 400),
        ([b"Transfer-Encoding: \x0bchunked"], 400),
        ([b"Transfer-Encoding: \x00chunked"], 400),
        ([b"Transfer-Encoding:\r\n chunked"], 400),
        ([b"Transfer-Encoding : chunked"], 400),
        ([b"Transfer-Encoding: "], 400),
        ([b'Transfer-Encoding: "chunked"'], 400),
    ],
    ids=lambda item: b"|".join(item).decode("latin-1") if isinstance(item, list) else None,
)
def test_no_transfer_coding_but_one_chunked_is_taken(lines: list[bytes], status: int) -> None:
    with pytest.raises(BadMessage) as refusal:
        request(b"Host: shop", *lines, start=b"POST / HTTP/1.1")
    assert refusal.value.status == status, refusal.value.detail


@pytest.mark.parametrize("coding", [b"chunked", b"Chunked", b"CHUNKED", b"chunked \t"])
def test_chunked_is_known_in_any_case(coding: bytes) -> None:
    assert request(b"Host: a", b"Transfer-Encoding: " + coding).fields.length == CHUNKED
    assert response(b"Transfer-Encoding: " + coding.strip()).length == CHUNKED


def test_field_lines_pass_in_their_order_casing_and_bytes() -> None:
    lines = [
        b"hOsT: shop",
        b"X-B: 2",
        b"x-a:  \xe4 1\t",
        b"X-B: 1",
        b"Accept:",
        b"COOKIE: a=1",
        b"Cookie: b=2",
    ]
    head = request(*lines)
    assert head.fields.block == b"".join(line + b"\r\n" for line in lines)
    assert head.fields.cookies == [b"a=1", b"b=2"]


@pytest.mark.parametrize(
    "target",
    [
        b"/a;b?c=%0d%0a",
        b"//a/../b",
        b'/%C3%A4?x="<>\\^`{|}',
        b"/?",
        b"/a%20b",
        b"/" + b"a" * (MAX_TARGET - 1),
    ],
)
def test_a_target_passes_byte_for_byte(target: bytes) -> None:
    assert request(b"Host: shop", start=b"GET " + target + b" HTTP/1.1").target == target


@pytest.mark.parametrize("method", [b"FOO", b"get", b"M-SEARCH", b"!#$%&'*+-.^_`|~"])
def test_a_method_nobody_knows_passes(method: bytes) -> None:
    assert request(b"Host: shop", start=method + b" / HTTP/1.1").method == method


@pytest.mark.parametrize(
    "host", [b"shop", b"shop:80", b"[::1]:80", b"127.0.0.1", b"a_b.c-d", b"shop:", b"%61"]
)
def test_a_host_that_is_one_passes(host: bytes) -> None:
    assert request(b"Host: " + host).fields.host == host


def test_fields_of_one_hop_stay_behind() -> None:
    head = request(
        b"Host: shop",
        b"Connection: close, X-Secret, Host, Cookie",
        b"X-Secret: 1",
        b"Cookie: a=1",
        b"Keep-Alive: 5",
        b"Proxy-Connection: x",
        b"TE: trailers",
        b"Upgrade: h2c",
        b"HTTP2-Settings: x",
        b"Trailer: x",
        b"Content_Length: 5",
        b"X-Kept: 1",
    )
    assert head.fields.block == b"Host: shop\r\nCookie: a=1\r\nX-Kept: 1\r\n"


def test_who_is_asking_is_not_believed_from_the_client() -> None:
    head = request(b"Host: a", b"X-Forwarded-For: 1.2.3.4", b"Forwarded: for=1", b"x-forwarded-PROTO: https")
    assert head.fields.block == b"Host: a\r\n"


def test_an_absolute_target_overrules_the_host() -> None:
    head = request(b"X: 1", b"Host: other", b"Connection: close", start=b"GET http://shop:8080/a?b HTTP/1.1")
    assert (head.target, head.fields.host) == (b"/a?b", b"shop:8080")
    assert head.fields.block == b"Host: shop:8080\r\nX: 1\r\n"
    assert not head.fields.keep_alive


def test_an_absolute_target_keeps_the_framing_of_its_body() -> None:
    head = request(b"Host: a", b"Content-Length: 7", start=b"PUT http://a HTTP/1.1")
    assert (head.target, head.fields.length) == (b"/", 7)


def test_asterisk_is_for_options() -> None:
    assert request(b"Host: a", start=b"OPTIONS * HTTP/1.1").target == b"*"


@pytest.mark.parametrize(
    ("version", "connection", "stays"),
    [
        (b"1.1", None, True),
        (b"1.1", b"close", False),
        (b"1.1", b"Keep-Alive, Close", False),
        (b"1.0", None, False),
        (b"1.0", b"Keep-Alive", True),
        (b"1.0", b"keep-alive, close", False),
    ],
)
def test_how_long_a_connection_lives_is_up_to_version_and_options(
    version: bytes, connection: bytes | None, *, stays: bool
) -> None:
    lines = [b"Host: a"] + ([b"Connection: " + connection] if connection else [])
    assert request(*lines, start=b"GET / HTTP/" + version).fields.keep_alive is stays
    lines[0] = b"Content-Length: 0"
    assert response(*lines, start=b"HTTP/" + version + b" 200 OK").keep_alive is stays


def test_the_same_fields_again_are_not_read_again() -> None:
    first = request(b"Host: shop", b"Cookie: a=1")
    raw = b"POST /other HTTP/1.1\r\nHost: shop\r\nCookie: a=1\r\n"
    again = parse_request(raw, first.fields)
    assert again.fields is first.fields
    assert (again.method, again.target) == (b"POST", b"/other")
    assert parse_request(raw.replace(b"a=1", b"a=2"), first.fields).fields.cookies == [b"a=2"]
    assert parse_request(raw.replace(b"/1.1", b"/1.0"), first.fields).fields.is_http10


# Beginnings: refused at once when nothing that follows could make them good


@pytest.mark.parametrize(
    "beginning",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01",
        b"GET /\r\n",
        b"GET / HTTP/1.1\n",
        b"GET / HTTP/2.0\r\n",
        b"get\0",
        b"GET / FTP",
        b"GET / HTTP/1.1\r\nno colon here\r\n",
        b"GET / HTTP/1.1\r\nHost: a\nX",
        b"A" * 100,
    ],
)
def test_a_hopeless_beginning_is_refused_before_its_head_ends(beginning: bytes) -> None:
    with pytest.raises(BadMessage):
        diagnose_beginning(beginning, MAX_HEAD)


def test_every_beginning_of_a_good_head_is_given_its_time() -> None:
    head = b"PATCH /cart?x=1 HTTP/1.1\r\nHost: shop\r\nCookie: a=b\r\n\r\n"
    for cut in range(len(head) - 1):
        diagnose_beginning(head[:cut], MAX_HEAD)


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /" + b"a" * MAX_HEAD, 414),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * MAX_HEAD, 431),
    ],
)
def test_a_head_without_end_is_refused_by_what_is_too_long(head: bytes, status: int) -> None:
    with pytest.raises(BadMessage) as refusal:
        diagnose_beginning(head, MAX_HEAD)
    assert refusal.value.status == status


# Responses


@pytest.mark.parametrize(
    "head",
    [
        b"HELLO\r\n",
        b"HTTP/1.1 2000 OK\r\n",
        b"HTTP/1.1 099 Low\r\n",
        b"HTTP/1.1 600 High\r\n",
        b"HTTP/2 200\r\n",
        b"HTTP/1.1 200 OK\nX: y\r\n",
        b"HTTP/1.1 200 OK\r\nX : y\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n",
    ],
)
def test_an_answer_that_is_not_http_is_a_bad_gateway(head: bytes) -> None:
    with pytest.raises(BadMessage) as refusal:
        parse_response(head, b"GET")
    assert refusal.value.status == 502


@pytest.mark.parametrize(
    ("status", "method", "length"),
    [
        (200, b"GET", 5),
        (200, b"HEAD", 0),
        (204, b"GET", 0),
        (304, b"GET", 0),
        (101, b"GET", 0),
        (404, b"POST", 5),
    ],
)
def test_some_answers_have_no_body_whatever_their_fields_say(status: int, method: bytes, length: int) -> None:
    head = response(b"Content-Length: 5", start=b"HTTP/1.1 %d X" % status, method=method)
    assert head.length == length
    assert b"Content-Length: 5\r\n" in head.block


def test_without_framing_an_answer_ends_with_its_connection() -> None:
    head = response(b"X: y")
    assert (head.length, head.keep_alive) == (UNTIL_CLOSE, False)


@pytest.mark.parametrize("reason", [b"", b" ", b" OK", b" All is  \xe4 well"])
def test_a_reason_passes_as_it_is(reason: bytes) -> None:
    assert (
        response(b"Content-Length: 0", start=b"HTTP/1.0 200" + reason).start == b"HTTP/1.1 200%b\r\n" % reason
    )


def test_the_same_head_again_is_not_read_again_unless_it_sets_a_cookie() -> None:
    lines = (b"Date: Sat, 21 Nov 2026 08:00:00 GMT", b"Content-Length: 5")
    assert response(*lines) is response(*lines)
    assert response(*lines, method=b"HEAD").length == 0
    assert response(b"X: y", method=b"HEAD").keep_alive
    assert response(*lines).length == 5
    assert response(*lines, b"Set-Cookie: a=1") is not response(*lines, b"Set-Cookie: a=1")


@pytest.mark.parametrize(
    "connection", [b"keep-alive", b"Keep-Alive", b"close", b"keep-alive ", b"x-secret", b"close, X-Secret"]
)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_fields_of_the_servers_hop_stay_behind(connection: bytes, place: int) -> None:
    lines = [b"Set-Cookie: a=1; Path=/", b"set-cookie: b=2"]
    lines.insert(place, b"Connection: " + connection)
    if b"ecret" in connection:
        lines.append(b"X-Secret: 1")
    head = response(*lines, b"Content-Length: 0")
    assert head.block == b"Set-Cookie: a=1; Path=/\r\nset-cookie: b=2\r\nContent-Length: 0\r\n"
    assert head.set_cookies == (b"a=1; Path=/", b"b=2")
