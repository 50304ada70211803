"""The same bytes for our balancer, HAProxy and nginx: where they differ, it is said here why.

A difference that is not listed fails; one that is listed need not be seen, for versions differ too.
HAProxy's and nginx's outcomes were seen with 2.6 and 1.22.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import signal
import socket
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.net.lb.conftest import Backend, Lb, OpenBackend, Peer, Seen, StartLb

PATIENCE = 10
HAPROXY = """
global
  stats socket {folder}/admin mode 600 level admin
defaults
  mode http
  timeout connect 1s
  timeout client 5s
  timeout server 5s
  timeout http-request 5s
frontend front
  bind 127.0.0.1:{port}
  option forwardfor
  default_backend carts
backend carts
  retries 3
  option redispatch 1
  retry-on conn-failure empty-response
  cookie LABSRV insert indirect nocache
{servers}
"""
NGINX = """
daemon off;
pid {folder}/pid;
error_log stderr crit;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/1;
  proxy_temp_path {folder}/2;
  fastcgi_temp_path {folder}/3;
  uwsgi_temp_path {folder}/4;
  scgi_temp_path {folder}/5;
  client_header_timeout 5s;
  upstream carts {{
{servers}
    keepalive 8;
  }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://carts;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
    }}
  }}
}}
"""


@dataclass
class Front:
    """A balancer and the servers behind it, which nobody else uses."""

    kind: str
    port: int
    servers: list[Backend]
    lb: Lb | None = None
    folder: Path | None = None

    async def talk(self, data: bytes, *, patience: float = 0.4) -> bytes:
        """All that is answered: until the end, or until nothing came for a while."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        got = b""
        with suppress(TimeoutError, ConnectionError):
            writer.write(data)
            while piece := await asyncio.wait_for(reader.read(1 << 16), patience if got else PATIENCE):
                got += piece
        writer.transport.abort()
        return got

    @property
    def seen(self) -> list[Seen]:
        return [seen for server in self.servers for seen in server.seen]

    def forget(self) -> None:
        for server in self.servers:
            server.seen.clear()
            server.script = None

    async def set_state(self, name: str, state: str) -> None:
        """``ready``, ``drain`` or ``maint``, in HAProxy's words."""
        if self.lb is not None:
            wish = "maintenance" if state == "maint" else state
            await self.lb.put(name, state=wish)
            if state == "ready":
                await self.lb.until(name, "up")
            return
        reader, writer = await asyncio.open_unix_connection(f"{self.folder}/admin")
        writer.write(f"set server carts/{name} state {state}\n".encode())
        assert not (await asyncio.wait_for(reader.read(), PATIENCE)).strip()
        writer.close()
        await writer.wait_closed()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@pytest.fixture(name="front")
async def _front(
    request: pytest.FixtureRequest, start_lb: StartLb, backend: OpenBackend, tmp_path: Path
) -> AsyncIterator[Front]:
    """The balancer that is named by the test's parameter, over two servers of its own."""
    kind = request.param
    servers = [await backend(f"s{n}") for n in (1, 2)]
    if kind == "ours":
        lb = await start_lb(*servers, flags=("--sticky", "cookie", "--fall", "99"))
        yield Front(kind, lb.port, servers, lb=lb)
        return
    program = shutil.which(kind) or shutil.which(kind, path="/usr/sbin:/usr/local/sbin:/opt/homebrew/bin")
    if program is None:
        pytest.skip(f"no {kind} on PATH (Debian, Ubuntu: apt-get install {kind})")
    port = free_port()
    line = "  server {0.name} {0.address} cookie {0.name}" if kind == "haproxy" else "server {0.address};"
    template = HAPROXY if kind == "haproxy" else NGINX
    file = tmp_path / "configuration"
    file.write_text(template.format(folder=tmp_path, port=port, servers="\n".join(map(line.format, servers))))
    flags = ["-db", "-f"] if kind == "haproxy" else ["-e", "stderr", "-c"]
    process = await asyncio.create_subprocess_exec(program, *flags, file, stderr=asyncio.subprocess.DEVNULL)
    try:
        await _until_open(port, process)
        yield Front(kind, port, servers, folder=tmp_path)
    finally:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        await process.wait()


async def _until_open(port: int, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(PATIENCE):
        while process.returncode is None:
            with suppress(ConnectionError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.02)
    pytest.fail(f"it ended with {process.returncode} instead of listening")


EVERYBODY = pytest.mark.parametrize("front", ["ours", "haproxy", "nginx"], indirect=True)


@dataclass
class Case:
    """Bytes, and the statuses they are answered with by ``ours``; ``others`` may differ, for ``why``."""

    data: bytes
    ours: str
    others: dict[str, set[str]] = field(default_factory=dict)
    why: str = ""


HOST = b"Host: shop\r\n"
GET = b"GET / HTTP/1.1\r\n" + HOST
POST = b"POST / HTTP/1.1\r\n" + HOST
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
AFTER = b"GET /after HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n"


def both(*statuses: str) -> dict[str, set[str]]:
    return {"haproxy": set(statuses), "nginx": set(statuses)}


#: Each is followed by a good request: "200 200" is both served, "400" is the first refused and nobody else.
FRAMING: dict[str, Case] = {
    "plain": Case(GET + b"\r\n", "200 200"),
    "empty line first": Case(b"\r\n" + GET + b"\r\n", "200 200"),
    "body in a GET": Case(GET + b"Content-Length: 2\r\n\r\nhi", "200 200"),
    "chunked": Case(CHUNKED + b"2\r\nhi\r\n0\r\n\r\n", "200 200"),
    "extension and trailer": Case(CHUNKED + b"2;a=b\r\nhi\r\n0\r\nX: y\r\n\r\n", "200 200"),
    "unknown method": Case(GET.replace(b"GET", b"BREW") + b"\r\n", "200 200"),
    "strange target": Case(GET.replace(b" / ", b" //a/../%2e;b?c=%0d%0a ") + b"\r\n", "200 200"),
    "HTTP/1.0": Case(b"GET / HTTP/1.0\r\n\r\n", "200"),
    "two lengths": Case(POST + b"Content-Length: 0\r\nContent-Length: 9\r\n\r\n", "400"),
    "equal lengths": Case(
        POST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nhi", "400", {"haproxy": {"200 200"}},
        "RFC 9112 6.3 allows to refuse or to fold; what is refused cannot be read in two ways",
    ),
    "signed length": Case(POST + b"Content-Length: +0\r\n\r\n", "400"),
    "empty length": Case(POST + b"Content-Length: \r\n\r\n", "400"),
    "length and coding": Case(
        POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400",
        {"haproxy": {"200"}},
        "RFC 9112 6.3: ought to be handled as an error; HAProxy drops the length and closes afterwards",
    ),
    "coding in HTTP/1.0": Case(
        b"POST / HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400",
        {"haproxy": {"200"}}, "RFC 9112 6.1: its framing must be treated as faulty",
    ),
    "unknown coding": Case(
        POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "501", {"haproxy": {"422", "501"}},
        "RFC 9112 6.1 says 501",
    ),
    "chunked is not last": Case(
        POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", "400",
        {"haproxy": {"400", "422"}, "nginx": {"501"}}, "RFC 9112 6.3: without an end that can be found, 400",
    ),
    "folded coding": Case(
        POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", "400", {"haproxy": {"200 200"}},
        "RFC 9112 5.2: refuse, or replace the folding",
    ),
    "hexadecimal size with 0x": Case(CHUNKED + b"0x2\r\nhi\r\n0\r\n\r\n", "400"),
    "bare LF in chunk framing": Case(
        CHUNKED + b"2\nhi\n0\n\n", "400", both("200 200"), "RFC 9112 7.1: chunk lines end in CRLF"
    ),
    "chunk too long": Case(CHUNKED + b"1\r\nhi\r\n0\r\n\r\n", "400"),
    "bare LF": Case(
        b"GET / HTTP/1.1\nHost: shop\n\n", "400", both("200 200"),
        "RFC 9112 2.2 merely allows to take LF; peers that do not will see another message",
    ),
    "bare CR": Case(GET + b"X: a\rb\r\n\r\n", "400"),
    "NUL": Case(GET + b"X: \0\r\n\r\n", "400", {"haproxy": {"200 200"}}, "RFC 9110 5.5: refuse or replace"),
    "no colon": Case(GET + b"nonsense\r\n\r\n", "400", {"nginx": {"200 200"}}, "RFC 9112 5: a colon"),
    "space before colon": Case(
        GET + b"X : a\r\n\r\n", "400", {"nginx": {"200 200"}}, "RFC 9112 5.1: must be refused"
    ),
    "folding": Case(
        GET + b"X: a\r\n b\r\n\r\n", "400", both("200 200"), "RFC 9112 5.2: refuse, or replace the folding"
    ),
    "no host": Case(b"GET / HTTP/1.1\r\n\r\n", "400", {"haproxy": {"200 200"}}, "RFC 9112 3.2: must be 400"),
    "two hosts": Case(GET + HOST + b"\r\n", "400", {"haproxy": {"200 200"}}, "RFC 9112 3.2: must be 400"),
    "list of hosts": Case(
        b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", "400", both("200 200"), "RFC 9112 3.2: must be 400"
    ),
    "fragment": Case(
        GET.replace(b" / ", b" /#a ") + b"\r\n", "400", {"nginx": {"200 200"}}, "RFC 9112 3.2: in no target"
    ),
    "two spaces": Case(
        GET.replace(b"GET ", b"GET  ") + b"\r\n", "400", both("200 200"), "RFC 9112 3: one space"
    ),
    "HTTP/2.0": Case(
        b"GET / HTTP/2.0\r\n" + HOST + b"\r\n", "505", {"haproxy": {"200 200", "400"}},
        "RFC 9110 15.6.6: a major version that is not spoken",
    ),
    "lower-case version": Case(b"GET / http/1.1\r\n" + HOST + b"\r\n", "400"),
    "HTTP/0.9": Case(
        b"GET /\r\n\r\n", "400", {"nginx": {"", "200"}}, "RFC 9112 2.3: a request line has a version"
    ),
    "CONNECT": Case(
        b"CONNECT shop:80 HTTP/1.1\r\nHost: shop:80\r\n\r\n", "501",
        {"haproxy": {"200", "200 200"}, "nginx": {"400", "405"}},
        "RFC 9110 9.3.6: a tunnel is for forward proxies",
    ),
    "unknown expectation": Case(
        POST + b"Expect: pony\r\nContent-Length: 0\r\n\r\n", "417", both("200 200"), "RFC 9110 10.1.1: 417"
    ),
    "long target": Case(
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", "414", {"haproxy": {"200 200"}},
        "limits differ: HAProxy's is its buffer of 16 KiB",
    ),
    "200 fields": Case(
        GET + b"X: y\r\n" * 200 + b"\r\n", "431", {"haproxy": {"400"}, "nginx": {"200 200", "400"}},
        "RFC 6585 5 has a status for it; nginx counts bytes only",
    ),
}  # fmt: skip


@EVERYBODY
async def test_what_is_a_request_is_judged_alike_or_ours_is_the_stricter(front: Front) -> None:
    unlike = {}
    for name, case in FRAMING.items():
        front.forget()
        got = await front.talk(case.data + AFTER)
        outcome = " ".join(status.decode() for status in re.findall(rb"HTTP/1\.[01] (\d{3}) ", got))
        allowed = {case.ours} if front.kind == "ours" else {case.ours, *case.others.get(front.kind, ())}
        if outcome not in allowed:
            unlike[name] = (outcome, allowed)
    assert not unlike


def test_every_listed_difference_has_its_reason() -> None:
    assert [name for name, case in FRAMING.items() if bool(case.others) != bool(case.why)] == []
    assert [name for name, (_, _, others, why) in PASSING.items() if bool(others) != bool(why)] == []


def named(seen: Seen, *names: str) -> list[str]:
    return [line for line in seen.lines if line.partition(":")[0].lower() in names]


#: What a server is to see: the fields of a request, what ours passes of them, who differs, and why.
PASSING: dict[str, tuple[bytes, list[str], dict[str, list[str]], str]] = {
    "field named by Connection": (
        b"Connection: keep-alive, X-Secret\r\nX-Secret: 1\r\n", [],
        {"haproxy": ["x-secret: 1"], "nginx": ["X-Secret: 1"]}, "RFC 9110 7.6.1: must be removed",
    ),
    "order and number": (b"X-B: 1\r\nX-A: 2\r\nX-B: 3\r\n", ["X-B: 1", "X-A: 2", "X-B: 3"],
        {"haproxy": ["x-b: 1", "x-a: 2", "x-b: 3"]}, "RFC 9110 5.1: case means nothing: no need to change it",
    ),
    "hop by hop": (
        b"Keep-Alive: timeout=5\r\nProxy-Connection: close\r\nTE: deflate\r\n", [],
        {"haproxy": ["keep-alive: timeout=5", "proxy-connection: close"],
         "nginx": ["Proxy-Connection: close"]},
        "RFC 9110 7.6.1 and 10.1.4: meant for the next hop only",
    ),
    "a look-alike of framing": (
        b"Content_Length: 9\r\n", [], {"haproxy": ["content_length: 9"]},
        "some servers take _ for -: RFC 9112 11.2 warns of messages that are read in two ways",
    ),
    "cookies of others": (b"Cookie: a=1; b=2\r\n", ["Cookie: a=1; b=2"], {"haproxy": ["cookie: a=1; b=2"]},
        "RFC 9110 5.1: case means nothing: no need to change it"),
}  # fmt: skip


@EVERYBODY
async def test_what_a_server_sees_is_alike_or_ours_is_nearer_to_the_rules(front: Front) -> None:
    unlike = {}
    for name, (lines, ours, others, _) in PASSING.items():
        front.forget()
        assert b" 200 " in await front.talk(GET + b"Connection: close\r\n" + lines + b"\r\n")
        (seen,) = front.seen
        passed = named(
            seen, *{line.partition(b":")[0].decode().lower() for line in lines.split(b"\r\n") if line}
        )
        passed = [line for line in passed if not line.lower().startswith("connection:")]
        if passed != ours and (front.kind == "ours" or passed != others.get(front.kind)):
            unlike[name] = (passed, ours)
    assert not unlike


def tie(got: bytes) -> tuple[str, str]:
    """Who answered, and what our cookie was set to; "-" if it was not."""
    server = re.search(rb'"server": "(\w+)"', got)
    cookie = re.search(rb"(?i)\r\nset-cookie: LABSRV=([^;\r]*)", got)
    return server[1].decode() if server else "-", cookie[1].decode() if cookie else "-"


async def cookies(front: Front) -> list[Any]:
    """A shopper's way through drains and maintenance; new clients are told by their kind only."""

    async def ask(cookie: str | None) -> tuple[str, str]:
        line = f"Cookie: {cookie}\r\n".encode() if cookie is not None else b""
        return tie(await front.talk(GET + b"Connection: close\r\n" + line + b"\r\n"))

    way: list[Any] = []
    for value in ("nobody", "", '"s1"', "S1", "x" * 3000):
        server, told = await ask(f"LABSRV={value}")
        way.append(server == told)
    server, told = await ask(None)
    way += [
        server == told,
        await ask("LABSRV=s1"),
        await ask("a=1; LABSRV=s2"),
        await ask("LABSRV=s2; LABSRV=s1"),
    ]
    server, told = await ask("labsrv=s1")
    way.append(server == told)
    await front.set_state("s1", "drain")
    way += [await ask("LABSRV=s1"), [await ask(None) for _ in range(4)]]
    await front.set_state("s1", "maint")
    way += [await ask("LABSRV=s1")]
    await front.set_state("s2", "maint")
    way += [await ask("LABSRV=s1"), (await front.talk(GET + b"\r\n")).split(b"\r\n")[0].split(b" ")[1]]
    await front.set_state("s1", "ready")
    way += [await ask("LABSRV=s2")]
    return way


@pytest.mark.parametrize("front", ["ours", "haproxy"], indirect=True)
async def test_a_cookie_means_here_what_it_means_to_haproxy(front: Front) -> None:
    assert await cookies(front) == [
        True, True, True, True, True,
        True, ("s1", "-"), ("s2", "-"), ("s2", "-"), True,
        ("s1", "-"), [("s2", "s2")] * 4, ("s2", "s2"), ("-", "-"), b"503", ("s1", "s1"),
    ]  # fmt: skip


async def die(peer: Peer, seen: Seen) -> None:
    await peer.body(seen)
    peer.reset()


#: Of two servers the first is dead, or dies with the request in hand: the statuses of six requests.
RETRIES: dict[str, tuple[bytes, str, set[int], dict[str, set[int]], str]] = {
    "refused GET": (GET + b"\r\n", "dead", {200}, {}, ""),
    "refused POST": (POST + b"Content-Length: 2\r\n\r\nhi", "dead", {200}, {}, ""),
    "GET in hand": (GET + b"\r\n", "dying", {200}, {}, ""),
    "POST in hand": (
        POST + b"Content-Length: 2\r\n\r\nhi", "dying", {200, 502}, {"haproxy": {200}},
        "RFC 9110 9.2.2: a proxy must not repeat it; retry-on empty-response does",
    ),
}  # fmt: skip


@EVERYBODY
@pytest.mark.parametrize("name", RETRIES)
async def test_what_is_sent_again_is_alike_or_ours_is_the_more_careful(front: Front, name: str) -> None:
    data, state, ours, others, _ = RETRIES[name]
    if state == "dead":
        front.servers[0].close()
    statuses = set()
    for _ in range(6):
        if state == "dying":
            front.servers[0].script = die
        got = await front.talk(data.replace(HOST, HOST + b"Connection: close\r\n"))
        statuses.add(int(got.split(b" ")[1]))
    assert statuses == (ours if front.kind == "ours" else others.get(front.kind, ours))
