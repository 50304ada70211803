"""Copies on other servers: where they go, what they are good for, and what becomes of old owners."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import aiohttp
import httpx
import pytest

from services.cart.config import Config
from services.cart.errors import NoSuchSession
from services.cart.model import Change, Verb
from services.cart.replication.peers import KEY_HEADER, key_of
from services.cart.replication.rank import ranked
from services.cart.session import COOKIE
from services.cart.strategies.protocol import Ask
from services.cart.strategies.replicated import Replicated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.net.cart.conftest import CartServer, CartServers

PRICES = {"tea": 350, "jam": 1_999}
TEA = Ask(Change(Verb.ADD, "tea", 1))
NEW = replace(TEA, create=True)
SECRET = "a secret of the tests, shared by all servers"
SYNC = Config(strategy="replicated", replication="sync", secret=SECRET, peer_timeout=2)


@dataclass
class Site:
    config: Config
    stack: AsyncExitStack
    servers: dict[str, Replicated] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)

    async def start(self, *names: str) -> None:
        for name in names:
            server = Replicated(replace(self.config, server_id=name), PRICES)
            said = await server.start()
            self.stack.push_async_callback(server.close)
            self.servers[name] = server
            self.addresses[name] = f"{said['peer_host']}:{said['peer_port']}"
        self.tell()

    async def stop(self, name: str) -> None:
        """As a killed process does to the others: nobody is told, nobody answers there any more."""
        await self.servers.pop(name).close()

    def tell(self) -> None:
        for server in self.servers.values():
            server.tell(self.addresses)

    def holders(self, session: str = "a") -> list[str]:
        return [name for name, server in self.servers.items() if server._copies.snapshot(session)]

    def first(self, session: str = "a", besides: str = "") -> str:
        return ranked(session, set(self.servers) - {besides})[0]


@asynccontextmanager
async def site(config: Config, *names: str) -> AsyncIterator[Site]:
    async with AsyncExitStack() as stack:
        made = Site(config, stack)
        await made.start(*(names or ("one", "two", "three", "four")))
        yield made


async def until(is_so: Callable[[], bool], what: str) -> None:
    async with asyncio.timeout(20):
        while not is_so():
            await asyncio.sleep(0.01)
    assert is_so(), what


@pytest.mark.parametrize("replicas", [1, 2])
async def test_an_acknowledged_change_is_on_k_others_chosen_by_the_session(replicas: int) -> None:
    async with site(replace(SYNC, replicas=replicas)) as here:
        answer = await here.servers["one"].change("a", NEW)
        others = ranked("a", ["two", "three", "four"])[:replicas]
        assert set(here.holders()) == {"one", *others}
        assert list(answer.backups) == others


async def test_a_copy_follows_change_by_change_and_asks_for_a_snapshot_when_it_missed_one() -> None:
    async with site(SYNC) as here:
        owner = here.servers["one"]
        await owner.change("a", NEW)
        backup = here.servers[here.first(besides="one")]
        for _ in range(5):
            await owner.change("a", TEA)
        assert backup._copies.figures()["asked_for"] == 0
        backup._sessions["a"].cart = replace(backup._sessions["a"].cart, revision=3)
        await owner.change("a", TEA)
        assert backup._copies.figures()["asked_for"] == 1
        assert backup._sessions["a"].cart == owner._sessions["a"].cart


async def test_sync_loses_nothing_when_the_owner_dies_and_replays_its_keys() -> None:
    async with site(SYNC) as here:
        await here.servers["one"].change("a", NEW)
        last = await here.servers["one"].change("a", replace(TEA, key="k"))
        backup = here.first(besides="one")
        await here.stop("one")
        found = await here.servers[backup].read("a")
        assert (found.cart, found.origin) == (last.cart, "backup")
        again = await here.servers[backup].change("a", replace(TEA, key="k"))
        assert (again.replayed, again.cart) == (True, last.cart)


async def test_a_server_without_a_copy_gets_it_from_who_has_one() -> None:
    async with site(SYNC) as here:
        cart = (await here.servers["one"].change("a", NEW)).cart
        stranger = ranked("a", ["two", "three", "four"])[-1]
        assert (await here.servers[stranger].read("a")).cart == cart
        with pytest.raises(NoSuchSession):
            await here.servers[stranger].read("nobody")


async def test_from_here_to_there_and_back_nobody_shows_an_old_cart() -> None:
    async with site(SYNC) as here:
        one, two = here.servers["one"], here.servers["two"]
        await one.change("a", NEW)
        for number in range(2, 10):
            server = (one, two)[number % 2]
            assert (await server.change("a", TEA)).cart.quantity("tea") == number
            assert (await (two, one)[number % 2].read("a")).cart.quantity("tea") == number


async def test_with_one_copy_both_deaths_lose_it_and_with_two_they_do_not() -> None:
    for replicas, is_kept in ((1, False), (2, True)):
        async with site(replace(SYNC, replicas=replicas, repair_rate=1)) as here:
            await here.servers["one"].change("a", NEW)
            first, _, last = ranked("a", ["two", "three", "four"])
            here.servers[last]._adopt_orphans = lambda: None  # type: ignore[method-assign]  # both at one moment
            await asyncio.gather(here.stop("one"), here.stop(first))
            try:
                await here.servers[last].read("a")
                assert is_kept
            except NoSuchSession:
                assert not is_kept


async def test_after_a_death_every_session_gets_its_copies_back() -> None:
    async with site(SYNC) as here:
        sessions = [f"session-{number}" for number in range(30)]
        for session in sessions:
            await here.servers["one"].change(session, NEW)
        await here.stop("one")
        await until(
            lambda: all(len(here.holders(session)) == 2 for session in sessions), "all have two copies again"
        )
        for server in here.servers.values():
            assert server.figures()["thin"] == 0


async def test_async_answers_before_the_copy_has_it_and_waits_when_too_many_are_under_way() -> None:
    config = replace(SYNC, replication="async", replication_queue=5)
    async with site(config, "one", "two") as here:
        one, two = here.servers["one"], here.servers["two"]
        await one.change("a", NEW)
        await asyncio.gather(*(one.change("a", TEA) for _ in range(50)))
        assert one.figures()["waited"] > 0
        await until(lambda: two._sessions["a"].cart.quantity("tea") == 51, "the copy arrives")
        assert 0 < two.figures()["delay_p50_ms"] <= two.figures()["delay_p99_ms"] < 20_000


@pytest.mark.parametrize(("merge", "tea"), [("lww", 3), ("union", 3), ("pn-counter", 4), ("or-map", 4)])
async def test_two_owners_after_a_split_become_one_cart(merge: str, tea: int) -> None:
    """One tea that both saw; then one more here, two more there."""
    async with site(replace(SYNC, merge=merge), "one", "two") as here:
        one, two = here.servers["one"], here.servers["two"]
        await one.change("a", NEW)
        one.tell({})
        two.tell({})
        await one.change("a", TEA)
        two._copies.inherit("a", 0)
        await two.change("a", TEA)
        await two.change("a", TEA)
        here.tell()
        await until(lambda: one.figures()["merged"] + two.figures()["merged"] > 0, "they merged")
        for server in (one, two):
            assert (await server.read("a")).cart.quantity("tea") == tea


async def test_nobody_without_the_key_is_let_in() -> None:
    async with site(SYNC, "one") as here, aiohttp.ClientSession(f"http://{here.addresses['one']}") as client:
        for headers in ({}, {KEY_HEADER: "guess"}, {KEY_HEADER: key_of("the secret of another site")}):
            for call in (
                client.put("/peers", json={}, headers=headers),
                client.post("/claim", headers=headers),
            ):
                async with call as answer:
                    assert answer.status == 401
        ours = {KEY_HEADER: key_of(SECRET)}
        async with client.put("/peers", json={"two": "nowhere"}, headers=ours) as answer:
            assert answer.status == 422


class TestProcesses:
    @pytest.fixture
    def servers(self, cart_servers: CartServers) -> list[CartServer]:
        flags = ("--strategy", "replicated", "--replication", "sync", "--peer-timeout", "1")
        started = [cart_servers.start("--id", f"server-{number}", *flags) for number in (1, 2, 3)]
        members = {f"server-{number}": server.peer for number, server in enumerate(started, 1)}
        for server in started:
            key = {KEY_HEADER: key_of(SECRET)}
            assert httpx.put(f"http://{server.peer}/peers", json=members, headers=key).status_code == 200
        return started

    def test_a_killed_owner_is_replaced_by_the_server_that_the_answer_named(
        self, servers: list[CartServer]
    ) -> None:
        one = servers[0]
        for _ in range(3):
            answer = one.client.post("/cart/add", json={"item": "iPhone 15"})
        backup = servers[int(answer.headers["X-Session-Backup"][-1]) - 1]
        one.popen.kill()
        cookie = {"Cookie": f"{COOKIE}={one.client.cookies[COOKIE]}"}
        found = backup.client.get("/cart", headers=cookie)
        assert found.json()["cart"] == answer.json()["cart"]
        assert found.headers["X-Session-Origin"] == "backup"

    def test_an_owner_that_was_paused_and_woke_up_shows_no_old_cart(self, servers: list[CartServer]) -> None:
        one, two = servers[:2]
        one.client.post("/cart/add", json={"item": "iPhone 15"})
        cookie = {"Cookie": f"{COOKIE}={one.client.cookies[COOKIE]}"}
        one.signal(signal.SIGSTOP)
        try:
            added = two.client.post("/cart/add", json={"item": "iPhone 15"}, headers=cookie)
        finally:
            one.signal(signal.SIGCONT)
        assert added.status_code == 200
        for server in servers:
            assert server.client.get("/cart", headers=cookie).json()["cart"] == added.json()["cart"]

    @pytest.mark.slow
    @pytest.mark.timeout(120)
    async def test_three_owners_killed_in_a_row_under_load_lose_and_double_nothing(
        self, cart_servers: CartServers
    ) -> None:
        """Each change has a key and is sent again, elsewhere, until it is answered: so it counts once."""
        flags = ("--strategy", "replicated", "--replication", "sync", "--peer-timeout", "1")
        names = [f"server-{number}" for number in range(1, 6)]
        servers = {name: cart_servers.start("--id", name, *flags) for name in names}
        members = {name: server.peer for name, server in servers.items()}
        async with aiohttp.ClientSession() as client:
            for server in servers.values():
                await tell(client, server, members)
            urls = {name: str(server.client.base_url) for name, server in servers.items()}
            shoppers = [Shopper(client, urls, list(names)) for _ in range(10)]
            rush = asyncio.gather(*(shopper.shop() for shopper in shoppers))
            for name in names[:3]:
                seen = sum(shopper.acknowledged for shopper in shoppers)
                await until(
                    lambda seen=seen: sum(each.acknowledged for each in shoppers) > seen + 30,  # type: ignore[misc]
                    "they shop on",
                )
                servers[name].popen.kill()
                # The next one dies only when the copies of this one are made again.
                await until_whole(client, [urls[other] for other in names[names.index(name) + 1 :]])
            for shopper in shoppers:
                shopper.is_done = True
            await rush
            for shopper in shoppers:
                assert await shopper.pieces() == shopper.acknowledged


async def tell(client: aiohttp.ClientSession, server: CartServer, members: dict[str, str]) -> None:
    key = {KEY_HEADER: key_of(SECRET)}
    async with client.put(f"http://{server.peer}/peers", json=members, headers=key) as answer:
        assert answer.status == 200


async def until_whole(client: aiohttp.ClientSession, urls: list[str]) -> None:
    """Nobody counts on who is gone any more, and every session has its copies."""
    async with asyncio.timeout(25):
        while True:
            figures = []
            for url in urls:
                async with client.get(f"{url}/stats") as answer:
                    figures.append((await answer.json())["figures"])
            if all(each["members_live"] == len(urls) - 1 and not each["thin"] for each in figures):
                return
            await asyncio.sleep(0.05)


@dataclass
class Shopper:
    """Adds one item after another, and goes to another server when one does not answer."""

    client: aiohttp.ClientSession
    urls: dict[str, str]
    names: list[str]
    cookie: str = ""
    acknowledged: int = 0
    is_done: bool = False

    async def shop(self) -> None:
        while not self.is_done:
            key = f"key {self.acknowledged}"
            while not await self.add(key):
                await asyncio.sleep(0.02)
            self.acknowledged += 1

    async def add(self, key: str) -> bool:
        headers = {"Idempotency-Key": key, "Cookie": self.cookie}
        name = self.names[0]
        try:
            async with self.client.post(
                f"{self.urls[name]}/cart/add", json={"item": "iPhone 15"}, headers=headers
            ) as answer:
                if answer.status == 200:
                    if COOKIE in answer.cookies:
                        assert not self.cookie, "a cart that was there was not found"
                        self.cookie = f"{COOKIE}={answer.cookies[COOKIE].value}"
                    backups = answer.headers.get("X-Session-Backup", "").split(", ")
                    self.names = [
                        name,
                        *backups,
                        *(each for each in self.names if each not in (name, *backups)),
                    ]
                    self.names = [each for each in self.names if each]
                    return True
        except aiohttp.ClientError:
            pass
        self.names = [*self.names[1:], name]
        return False

    async def pieces(self) -> int:
        async with self.client.get(
            f"{self.urls[self.names[0]]}/cart", headers={"Cookie": self.cookie}
        ) as answer:
            return sum(line["quantity"] for line in (await answer.json())["cart"])
