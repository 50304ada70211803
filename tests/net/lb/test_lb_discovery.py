"""Servers behind a DNS name: they join, leave in peace, and survive a resolver that stumbles."""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from random import Random
from typing import TYPE_CHECKING

import aiohttp
import pytest

from lb.balance import RoundRobin
from lb.balancer import Balancer
from lb.checks import Checks
from lb.discovery import Discovery, resolve
from lb.events import Events
from lb.failover import Failover
from lb.learned import Learned
from lb.operations import Operations
from lb.pool import Address, Pool, State
from lb.route import Routing
from lb.settings import Settings
from lb.sticky import LearnSticky

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.net.lb.conftest import Backend, OpenBackend, Peer, Seen, StartLb

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs more than one loopback address")

GET = b"GET / HTTP/1.1\r\nHost: shop\r\n%b\r\n"


class Site:
    """A balancer in this very loop, so that a test can answer for the resolver."""

    def __init__(self) -> None:
        self.settings = Settings(
            listen=Address("127.0.0.1", 0),
            inter=0.1,
            resolve_interval=0.02,
            resolve_hold=0.5,
            discover_drain=20,
        )
        self.hosts: list[str] = []
        self.failing = False
        self.pool = Pool(time.time)
        sticky = LearnSticky("cart_sid", Learned(600, 100), Failover.REBALANCE)
        routing = Routing(self.pool, sticky, RoundRobin(), Failover.REBALANCE)
        self.events = Events(time.time)
        self.balancer = Balancer(self.settings, routing, self.events)
        self.checks = Checks(self.balancer, Random(7))  # noqa: S311 - they only spread checks
        self.operations = Operations(self.balancer, self.checks)
        self.port = 0

    async def answer(self, name: Address) -> list[Address]:
        if self.failing:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        hosts = Random(time.monotonic_ns()).sample(self.hosts, len(self.hosts))  # noqa: S311 - as DNS does
        return [Address(host, name.port) for host in hosts]

    def names(self) -> list[str]:
        return sorted(server.name for server in self.pool)

    def state(self, name: str) -> State | None:
        server = self.pool.get(name)
        return server.state if server else None

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                await asyncio.sleep(0.01)

    async def get(self, cookie: bytes = b"") -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(GET % (b"Connection: close\r\n" + (b"Cookie: %b\r\n" % cookie if cookie else b"")))
        async with asyncio.timeout(10):
            answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer


@pytest.fixture(name="site")
async def _site() -> AsyncIterator[Site]:
    site = Site()
    server = await asyncio.get_running_loop().create_server(site.balancer.new_client, "127.0.0.1", 0)
    site.port = server.sockets[0].getsockname()[1]
    yield site
    server.close()
    site.checks.stop()
    site.balancer.close()
    await server.wait_closed()


@pytest.fixture(name="members")
async def _members(site: Site, backend: OpenBackend) -> AsyncIterator[tuple[Backend, Backend]]:
    """Two servers at one port of two addresses, both found as ``cart``."""
    one = await backend("one", "127.0.0.1")
    two = await backend("two", "127.0.0.2", one.port)
    site.hosts = ["127.0.0.1", "127.0.0.2"]
    name = Address("tasks.cart", one.port)
    discovery = Discovery("cart", name, site.balancer, site.operations, site.answer)
    await site.until(lambda: len(site.pool.open) == 2)
    yield one, two
    discovery.stop()


async def test_every_address_of_the_name_becomes_a_server(
    site: Site, members: tuple[Backend, Backend]
) -> None:
    assert site.names() == ["cart-127.0.0.1", "cart-127.0.0.2"]
    for _ in range(4):
        assert b"200 OK" in await site.get()
    assert [len(member.seen) for member in members] == [2, 2]
    added = [event for event in site.events.history() if event["from"] is None]
    assert {event["cause"] for event in added} == {"found as tasks.cart"}


async def test_a_server_whose_address_vanished_finishes_its_request_and_is_gone(
    site: Site, members: tuple[Backend, Backend]
) -> None:
    arrived, may_answer = asyncio.Event(), asyncio.Event()

    async def script(peer: Peer, seen: Seen) -> None:
        arrived.set()
        await may_answer.wait()
        await peer.answer(b"whole")

    _, two = members
    two.script = script
    asked = [asyncio.ensure_future(site.get()) for _ in range(2)]
    await arrived.wait()
    site.hosts = ["127.0.0.1"]
    await site.until(lambda: site.state("cart-127.0.0.2") is State.DRAINING)
    may_answer.set()
    assert any(answer.endswith(b"whole") for answer in await asyncio.gather(*asked))
    await site.until(lambda: site.names() == ["cart-127.0.0.1"])


async def test_sessions_of_a_server_that_vanished_stay_while_it_still_answers(
    site: Site, members: tuple[Backend, Backend]
) -> None:
    _, two = members
    cookies = [(await site.get()).partition(b"Set-Cookie: ")[2].partition(b";")[0] for _ in range(2)]
    tied = next(cookie for cookie in cookies if b"two" in cookie)
    site.hosts = ["127.0.0.1"]
    await site.until(lambda: site.state("cart-127.0.0.2") is State.DRAINING)
    assert b'"two"' in await site.get(tied)
    two.ready = "503 Service Unavailable"  # what a cart server says from its SIGTERM on
    await site.until(lambda: site.names() == ["cart-127.0.0.1"])
    assert b'"one"' in await site.get(tied)


async def test_an_address_that_comes_back_is_the_same_server_again(
    site: Site, members: tuple[Backend, Backend]
) -> None:
    cookie = (await site.get()).partition(b"Set-Cookie: ")[2].partition(b";")[0]
    await site.get()
    servers = {server.name: server for server in site.pool}
    site.hosts = ["127.0.0.2"] if b"one" in cookie else ["127.0.0.1"]
    name = "cart-127.0.0.1" if b"one" in cookie else "cart-127.0.0.2"
    await site.until(lambda: site.state(name) is State.DRAINING)
    site.hosts = ["127.0.0.1", "127.0.0.2"]
    await site.until(lambda: len(site.pool.open) == 2)
    assert site.pool.get(name) is servers[name]
    assert len(members) == 2


async def test_a_resolver_that_fails_is_borne_for_the_hold_and_no_longer(
    site: Site, members: tuple[Backend, Backend], capsys: pytest.CaptureFixture[str]
) -> None:
    site.failing = True
    await site.until(lambda: any(event["kind"] == "lookup" for event in site.events.history()))
    assert len(site.pool.open) == 2
    site.failing = False
    await site.until(lambda: [e["kind"] for e in site.events.history()].count("lookup") == 2)
    assert len(site.pool.open) == 2
    site.failing = True
    await site.until(lambda: not site.names())
    site.failing = False
    await site.until(lambda: len(site.pool.open) == 2)
    assert "looking up tasks.cart: Temporary failure in name resolution" in capsys.readouterr().err
    assert len(members) == 2


async def test_a_member_that_the_operator_took_away_stays_away(
    site: Site, members: tuple[Backend, Backend]
) -> None:
    server = site.pool.get("cart-127.0.0.2")
    assert server is not None
    site.operations.remove(server)
    site.hosts = ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
    await site.until(lambda: len(site.names()) == 2)
    assert site.names() == ["cart-127.0.0.1", "cart-127.0.0.3"]
    assert len(members) == 2


async def test_a_member_in_maintenance_is_not_called_back_by_an_address_that_returns(
    site: Site, members: tuple[Backend, Backend]
) -> None:
    server = site.pool.get("cart-127.0.0.2")
    assert server is not None
    site.operations.wish(server, "maintenance")
    server.active += 1  # in flight: it cannot go yet
    site.hosts = ["127.0.0.1", "127.0.0.3"]
    await site.until(lambda: "cart-127.0.0.3" in site.names())
    site.hosts = ["127.0.0.1", "127.0.0.2", "127.0.0.4"]
    await site.until(lambda: "cart-127.0.0.4" in site.names())
    assert server.state is State.MAINTENANCE
    server.active -= 1
    assert len(members) == 2


async def test_a_real_name_is_looked_up_by_the_real_resolver() -> None:
    assert Address("127.0.0.1", 80) in await resolve(Address("localhost", 80))


async def test_the_program_finds_its_servers_by_name(start_lb: StartLb, backend: OpenBackend) -> None:
    cart = await backend("cart")
    lb = await start_lb(flags=("--discover", f"cart=localhost:{cart.port}", "--resolve-interval", "0.1"))
    await lb.until("cart-127.0.0.1", "up")
    answer = await lb.get()
    assert (answer["x-lab-server"], answer.json["server"]) == ("cart-127.0.0.1", "cart")


async def test_a_name_that_is_nowhere_is_said_and_looked_up_on(start_lb: StartLb) -> None:
    lb = await start_lb(flags=("--discover", "cart=nowhere.invalid:80"))
    assert (await lb.get()).status == 503
    url = f"http://127.0.0.1:{lb.said['admin_port']}/events?history=1"
    async with asyncio.timeout(20), aiohttp.ClientSession() as session, session.get(url) as stream:
        while b'"lookup"' not in await stream.content.readline():
            pass
    assert await lb.stop() == 0
    assert "looking up nowhere.invalid: " in await lb.complaint()
