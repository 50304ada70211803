"""The balancer as a real program, between raw scripted peers: both sides are sockets of the test."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import sys
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, Protocol

import aiohttp
import h11
import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    Script = Callable[["Peer", "Seen"], Awaitable[None]]
    StartLb = Callable[..., Awaitable["Lb"]]
    OpenBackend = Callable[..., Awaitable["Backend"]]

PATIENCE = 10.0


class Addressed(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def address(self) -> str: ...


@dataclass
class Answer:
    """What a client got. ``interim`` are the statuses that came before the final one."""

    status: int
    fields: list[tuple[str, str]]
    body: bytes = b""
    interim: list[int] = field(default_factory=list)

    def all(self, name: str) -> list[str]:
        return [value for field_name, value in self.fields if field_name == name]

    def __getitem__(self, name: str) -> str | None:
        values = self.all(name)
        return values[0] if values else None

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Wire:
    """A client's connection: raw bytes out; answers judged by h11, which is nobody's friend."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self._left = b""

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        async with asyncio.timeout(PATIENCE):
            await self.writer.drain()

    async def ask(self, data: bytes) -> Answer:
        await self.send(data)
        return await self.answer(data.split(b" ", 1)[0].decode())

    async def get(self, target: str = "/", **fields: str) -> Answer:
        return await self.ask(request("GET", target, b"", **fields))

    async def answer(self, method: str = "GET") -> Answer:
        """The next answer; h11.RemoteProtocolError when it is cut short."""
        connection = h11.Connection(h11.CLIENT)
        if method.isalpha() and method.isupper():
            connection.send(h11.Request(method=method, target="/", headers=[("host", "shop")]))
            connection.send(h11.EndOfMessage())
        connection.receive_data(self._left) if self._left else None
        interim: list[int] = []
        answer: Answer | None = None
        async with asyncio.timeout(PATIENCE):
            while True:
                event = connection.next_event()
                if event is h11.NEED_DATA:
                    connection.receive_data(await self.reader.read(1 << 16))
                elif isinstance(event, h11.InformationalResponse):
                    interim.append(event.status_code)
                elif isinstance(event, h11.Response):
                    fields = [(name.decode(), value.decode("latin-1")) for name, value in event.headers]
                    answer = Answer(event.status_code, fields, interim=interim)
                elif isinstance(event, h11.Data) and answer is not None:
                    answer.body += event.data
                elif isinstance(event, h11.EndOfMessage) and answer is not None:
                    self._left = connection.trailing_data[0]
                    return answer
                else:
                    raise EOFError("the connection ended before an answer")

    async def rest(self) -> bytes:
        """All that comes until the other side closes."""
        async with asyncio.timeout(PATIENCE):
            with suppress(ConnectionResetError):
                return self._left + await self.reader.read()
            return self._left

    def close(self) -> None:
        self.writer.close()

    async def end(self) -> None:
        """Close, and wait until it is."""
        self.writer.transport.abort()
        with suppress(ConnectionError):
            await self.writer.wait_closed()


def request(method: str, target: str, /, body: bytes = b"", **fields: str) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", "Host: shop"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    if body or method in ("POST", "PUT", "PATCH"):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


@dataclass
class Seen:
    """A request as a server got it."""

    method: str
    target: str
    lines: list[str]
    connection: int
    body: bytes = b""

    def all(self, name: str) -> list[str]:
        pairs = [line.partition(":") for line in self.lines]
        return [value.strip() for field_name, _, value in pairs if field_name.lower() == name]


class Peer:
    """A server's side of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def body(self, seen: Seen) -> bytes:
        """Read the body of the request; its framing is trusted, for it is the balancer's."""
        if seen.all("transfer-encoding"):
            while size := int(await self.reader.readuntil(b"\r\n"), 16):
                seen.body += await self.reader.readexactly(size)
                await self.reader.readexactly(2)
            while await self.reader.readuntil(b"\r\n") != b"\r\n":
                pass  # a trailer: ours passes none, others do
        elif lengths := seen.all("content-length"):
            seen.body = await self.reader.readexactly(int(lengths[0]))
        return seen.body

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, body: bytes, *lines: str, status: str = "200 OK") -> None:
        head = "\r\n".join([f"HTTP/1.1 {status}", *lines, f"Content-Length: {len(body)}", "", ""])
        await self.send(head.encode("latin-1") + body)

    def reset(self) -> None:
        """End the connection as a killed process does."""
        self.writer.transport.abort()


class Backend:
    """A server of the test's own. ``script`` answers; by default the answer says who and what."""

    def __init__(self, name: str, host: str = "127.0.0.1", port: int = 0) -> None:
        self.name = name
        self.host = host
        self.ready = "200 OK"
        self.script: Script | None = None
        self.seen: list[Seen] = []
        self._numbers = count(1)
        self._listener: socket.socket | None = None
        self._connections: dict[socket.socket, asyncio.Task[None]] = {}
        self._writers: set[asyncio.StreamWriter] = set()
        self.port = port

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    async def open(self) -> None:
        """Accepts by itself: asyncio's own server loses a connection, and leaves its socket open, when
        it is closed at the moment of accepting one.
        """
        self._listener = socket.create_server((self.host, self.port), backlog=100)
        self._listener.setblocking(False)  # noqa: FBT003 - the standard library's signature
        self.port = self._listener.getsockname()[1]
        asyncio.get_running_loop().add_reader(self._listener, self._accept, self._listener)

    def close(self) -> None:
        """As if the process were killed: the port refuses, and every connection is reset."""
        if self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()
            self._listener = None
        self.close_connections()

    async def end(self) -> None:
        """Close for good; nothing is left when this returns."""
        self.close()
        tasks = list(self._connections.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for connection in self._connections:  # whose task had not begun
            connection.close()
        self._connections.clear()

    def close_connections(self) -> None:
        for writer in tuple(self._writers):
            writer.transport.abort()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(BlockingIOError, ConnectionError):
            connection, _ = listener.accept()
            self._connections[connection] = asyncio.ensure_future(self._serve(connection))

    async def _serve(self, connection: socket.socket) -> None:
        number = next(self._numbers)
        reader, writer = await asyncio.open_connection(sock=connection)
        self._writers.add(writer)
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                while self._listener is not None:
                    await self._serve_one(Peer(reader, writer), number)
        finally:
            self._writers.discard(writer)
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
            self._connections.pop(connection, None)

    async def _serve_one(self, peer: Peer, number: int) -> None:
        head = (await peer.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        start, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
        method, target, _ = start.split(" ")
        if target == "/ready":
            await peer.answer(b"", status=self.ready)
            raise ConnectionError("checks do not keep their connection")
        seen = Seen(method, target, lines, number)
        self.seen.append(seen)
        if self.script is not None:
            await self.script(peer, seen)
            return
        body = await peer.body(seen)
        cookie = () if seen.all("cookie") else (f"Set-Cookie: cart_sid={self.name}-{len(self.seen)}; Path=/",)
        told = json.dumps({"server": self.name, "target": target, "size": len(body)}).encode()
        await peer.answer(b"" if method == "HEAD" else told, *cookie)


SHOP = """
import asyncio, secrets, sys

async def serve(reader, writer):
    while True:
        head = await reader.readuntil(b"\\r\\n\\r\\n")
        lines = head.decode().split("\\r\\n")
        fields = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
        body = await reader.readexactly(int(fields.get("content-length", 0)))
        if lines[0].split()[1] == "/held":
            print("held", flush=True)
            await asyncio.sleep(3600)
        if not head.startswith(b"GET /ready"):
            await asyncio.sleep(0.05)  # so that a kill finds requests under way
        cookie = "" if "cookie" in fields else f"Set-Cookie: cart_sid={secrets.token_hex()}\\r\\n"
        writer.write(f"HTTP/1.1 200 OK\\r\\n{cookie}Content-Length: {len(body)}\\r\\n\\r\\n".encode() + body)

async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(main())
"""


class Process:
    """A server that is a process of its own, with the sessions of an application, and can be killed."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.address = ""

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            SHOP,
            self.name,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert self._process.stdout is not None
        self.address = f"127.0.0.1:{int(await self._process.stdout.readline())}"

    async def holds_one_more(self) -> None:
        """Wait until a request for ``/held`` has come, which is never answered."""
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            assert await self._process.stdout.readline() == b"held\n"

    async def kill(self) -> None:
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGKILL)
            await self._process.wait()


@dataclass
class Lb:
    """The running program."""

    process: asyncio.subprocess.Process
    said: dict[str, Any]
    complaints: asyncio.Task[bytes]
    wires: list[Wire] = field(default_factory=list)

    @property
    def port(self) -> int:
        return int(self.said["port"])

    async def wire(self) -> Wire:
        wire = Wire(*await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 20))
        self.wires.append(wire)
        return wire

    async def ask(self, data: bytes) -> Answer:
        """One request on a connection of its own."""
        wire = await self.wire()
        try:
            return await wire.ask(data)
        finally:
            wire.close()

    async def get(self, target: str = "/", **fields: str) -> Answer:
        return await self.ask(request("GET", target, b"", **fields))

    async def api(self, method: str, path: str, wanted: object = None) -> tuple[int, Any]:
        url = f"http://127.0.0.1:{self.said['admin_port']}{path}"
        async with aiohttp.ClientSession() as session, session.request(method, url, json=wanted) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if answer.content_type == "application/json" else text

    async def server(self, name: str) -> dict[str, Any]:
        _, listed = await self.api("GET", "/servers")
        return next(server for server in listed["servers"] if server["name"] == name)

    async def until(self, name: str, state: str) -> dict[str, Any]:
        """Wait for a server to be there and get into ``state``."""
        async with asyncio.timeout(PATIENCE):
            while True:
                _, listed = await self.api("GET", "/servers")
                for server in listed["servers"]:
                    if (server["name"], server["state"]) == (name, state):
                        assert isinstance(server, dict)
                        return server
                await asyncio.sleep(0.01)

    async def put(self, name: str, **wanted: object) -> dict[str, Any]:
        status, server = await self.api("PUT", f"/servers/{name}", wanted)
        assert status == 200, server
        assert isinstance(server, dict)
        return server

    async def counters(self) -> dict[str, Any]:
        _, counters = await self.api("GET", "/counters")
        assert isinstance(counters, dict)
        return counters

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return await self.ended()

    async def ended(self) -> int:
        async with asyncio.timeout(PATIENCE):
            return await self.process.wait()

    async def complaint(self) -> str:
        async with asyncio.timeout(PATIENCE):
            return (await self.complaints).decode()


async def launch(*flags: str) -> Lb:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "lb", *flags, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    complaints = asyncio.ensure_future(process.stderr.read())
    async with asyncio.timeout(PATIENCE):
        line = await process.stdout.readline()
    return Lb(process, json.loads(line or b"{}"), complaints)


@asynccontextmanager
async def starting() -> AsyncIterator[StartLb]:
    async with AsyncExitStack() as stack:

        async def start(*backends: Addressed, flags: Sequence[str] = (), up: bool = True) -> Lb:
            servers = [
                word for backend in backends for word in ("--server", f"{backend.name}={backend.address}")
            ]
            ports = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]
            lb = await launch(*ports, "--inter", "0.1", "--lab-headers", *servers, *flags)
            stack.push_async_callback(_end, lb)
            for backend in backends if up else ():
                await lb.until(backend.name, "up")
            return lb

        yield start


async def _end(lb: Lb) -> None:
    if lb.process.returncode is None:
        lb.process.kill()
        await lb.ended()
    for wire in lb.wires:
        await wire.end()
    complaint = await lb.complaint()
    assert not re.search(r"Traceback|Exception|Warning", complaint), complaint


@asynccontextmanager
async def opening() -> AsyncIterator[OpenBackend]:
    async with AsyncExitStack() as stack:

        async def open_one(name: str, host: str = "127.0.0.1", port: int = 0) -> Backend:
            backend = Backend(name, host, port)
            await backend.open()
            stack.push_async_callback(backend.end)
            return backend

        yield open_one


@pytest.fixture(name="start_lb")
async def _start_lb() -> AsyncIterator[StartLb]:
    """Starts balancers over the given servers and waits until all of these are up."""
    async with starting() as start:
        yield start


@pytest.fixture(name="backend")
async def _backend() -> AsyncIterator[OpenBackend]:
    """Opens servers on free ports, closed again at the end."""
    async with opening() as open_one:
        yield open_one


@pytest.fixture(name="shared_site", scope="module")
async def _shared_site() -> AsyncIterator[tuple[Lb, Backend]]:
    """One balancer over one server, for tests that leave no trace in either."""
    async with opening() as open_one, starting() as start:
        server = await open_one("s1")
        yield await start(server, flags=("--head-timeout", "0.5", "--keepalive-timeout", "1")), server


@pytest.fixture(name="processes")
async def _processes() -> AsyncIterator[list[Process]]:
    processes = [Process(f"s{n}") for n in (1, 2, 3)]
    for process in processes:
        await process.start()
    yield processes
    for process in processes:
        await process.kill()
