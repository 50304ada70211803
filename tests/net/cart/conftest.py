"""Real cart servers, a real store, and the same application in process, for every strategy."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import httpx
import pytest
from redis import Redis
from redis.exceptions import ConnectionError as StoreNotThere

from lab.cluster.store_binary import find_binary
from services.cart.app import create_app
from services.cart.config import NEEDS_STORE, STRATEGIES, Config

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from contextlib import AbstractAsyncContextManager

    from services.cart.strategies.protocol import Answer, Ask, Strategy

    Visit = Callable[[Config], AbstractAsyncContextManager[httpx.AsyncClient]]

SECRET = "a secret of the tests, shared by all servers"
_DEADLINE = 20.0


@dataclass
class CartStore:
    """A store of our own on a unix socket, which can be frozen, killed and started again."""

    folder: Path
    popen: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self.folder}/store.sock"

    def client(self) -> Redis:
        return Redis.from_url(self.url, decode_responses=True)

    def start(self) -> None:
        argv = [str(find_binary().path), "--port", "0", "--unixsocket", f"{self.folder}/store.sock"]
        durable = ["--dir", str(self.folder), "--save", "", "--appendonly", "yes"]
        self.popen = subprocess.Popen([*argv, *durable], stdout=subprocess.DEVNULL)
        end = time.monotonic() + _DEADLINE
        while not self._answers():
            assert time.monotonic() < end, "the store did not answer in time"
            time.sleep(0.01)

    def signal(self, number: signal.Signals) -> None:
        assert self.popen
        self.popen.send_signal(number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        assert self.popen
        self.popen.wait()

    def _answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except StoreNotThere:
            return False


def _new_store() -> Iterator[CartStore]:
    # A unix socket's path has room for about a hundred characters; pytest's own folders are longer.
    store = CartStore(Path(tempfile.mkdtemp(prefix="cart-", dir="/tmp")))
    try:
        store.start()
        yield store
    finally:
        store.kill()
        shutil.rmtree(store.folder, ignore_errors=True)


@pytest.fixture(scope="session")
def store_shared() -> Iterator[CartStore]:
    """For tests that leave it running; each keeps to a prefix of its own."""
    yield from _new_store()


@pytest.fixture
def store_own() -> Iterator[CartStore]:
    """For tests that hurt it."""
    yield from _new_store()


@pytest.fixture
def store_prefix() -> str:
    return f"{uuid4().hex[:8]}:"


@pytest.fixture(params=STRATEGIES)
def cart_config(request: pytest.FixtureRequest, store_prefix: str) -> Config:
    """Every strategy in turn; a test that takes this is part of the contract."""
    if request.param not in NEEDS_STORE:
        return Config(secret=SECRET, strategy=request.param)
    store: CartStore = request.getfixturevalue("store_shared")
    return Config(secret=SECRET, strategy=request.param, store_url=store.url, store_prefix=store_prefix)


@dataclass
class CartShopper:
    """One session at one or several strategies, that brings along what it was given last."""

    servers: list[Strategy]
    session: str = "a"
    carried: str = ""

    async def read(self, server: int = 0) -> Answer:
        answer = await self.servers[server].read(self.session, self.carried)
        return await self._take(answer)

    async def change(self, ask: Ask, server: int = 0) -> Answer:
        ask = replace(ask, carried=self.carried)
        answer = await self.servers[server % len(self.servers)].change(self.session, ask)
        return await self._take(answer)

    async def close(self) -> None:
        for each in self.servers:
            await each.close()

    async def _take(self, answer: Answer) -> Answer:
        await asyncio.sleep(0)  # an answer is on its way for a while, also where nobody had to wait
        self.carried = answer.carried or self.carried
        return answer


@pytest.fixture
def cart_shopper() -> type[CartShopper]:
    return CartShopper


@pytest.fixture
def cart_visit() -> Visit:
    return visit


@asynccontextmanager
async def visit(config: Config) -> AsyncIterator[httpx.AsyncClient]:
    """The application of ``config`` in this process, and a client with an empty cookie jar."""
    app = create_app(config)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://shop.test") as client,
    ):
        yield client


@pytest.fixture
async def cart_client(cart_config: Config) -> AsyncIterator[httpx.AsyncClient]:
    async with visit(cart_config) as client:
        yield client


@pytest.fixture
async def cart_other(cart_client: httpx.AsyncClient) -> AsyncIterator[httpx.AsyncClient]:
    """Another shopper at the same server."""
    transport = cart_client._transport
    async with httpx.AsyncClient(transport=transport, base_url="http://shop.test") as client:
        yield client


@dataclass
class CartServer:
    """One running server; ``stdout`` and ``stderr`` are read once it has ended."""

    popen: subprocess.Popen[str]
    host: str
    port: int
    client: httpx.Client
    #: Where other servers knock, host:port, if it lets them.
    peer: str = ""

    def ended(self, within: float = _DEADLINE) -> tuple[int, str, str]:
        """Exit code and what it printed after its first line."""
        out, err = self.popen.communicate(timeout=within)
        return self.popen.returncode, out, err

    def signal(self, number: signal.Signals) -> None:
        self.popen.send_signal(number)

    def raw(self, *chunks: bytes) -> bytes:
        """All that it answers to these bytes until it closes the connection."""
        with socket.create_connection((self.host, self.port), timeout=_DEADLINE) as connection:
            for chunk in chunks:
                connection.sendall(chunk)
            return b"".join(iter(lambda: connection.recv(65536), b""))


@dataclass
class CartServers:
    """Starts servers by their flags, and ends whatever is left of them."""

    stack: ExitStack
    started: list[CartServer] = field(default_factory=list)

    def popen(self, *flags: str, **environment: str) -> subprocess.Popen[str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("CART_")}
        popen = subprocess.Popen(
            [sys.executable, "-m", "services.cart", *flags],
            env={**inherited, "CART_SECRET": SECRET, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.stack.callback(_end, popen)
        return popen

    def start(self, *flags: str, **environment: str) -> CartServer:
        popen = self.popen(*flags, **environment)
        assert popen.stdout
        line = popen.stdout.readline()
        assert line, f"it ended without a word: {popen.communicate()[1]}"
        said = json.loads(line)
        client = self.stack.enter_context(httpx.Client(base_url=f"http://{said['host']}:{said['port']}"))
        peer = f"{said['peer_host']}:{said['peer_port']}" if "peer_port" in said else ""
        server = CartServer(popen, said["host"], said["port"], client, peer)
        self.started.append(server)
        return server


def _end(popen: subprocess.Popen[str]) -> None:
    popen.kill()
    popen.wait()
    for stream in (popen.stdout, popen.stderr):
        if stream:
            stream.close()


@pytest.fixture
def cart_servers() -> Iterator[CartServers]:
    with ExitStack() as stack:
        yield CartServers(stack)


@pytest.fixture
def cart_stateless(
    cart_servers: CartServers, store_shared: CartStore, store_prefix: str
) -> Callable[..., CartServer]:
    """Starts a stateless server of this test's site."""

    def start(name: str, *flags: str) -> CartServer:
        store = ("--store-url", store_shared.url, "--store-prefix", store_prefix)
        return cart_servers.start("--id", name, "--strategy", "stateless", *store, *flags)

    return start
