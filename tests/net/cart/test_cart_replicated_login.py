"""Ended sessions among servers with copies: nobody serves one, and no copy that comes late revives it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from services.cart.config import Config
from services.cart.errors import KeyReused, NoSuchSession, StoreCut
from services.cart.model import Change, Verb
from services.cart.replication.rank import ranked
from services.cart.replication.tombs import Tombs
from services.cart.strategies.protocol import Ask, Login
from services.cart.strategies.replicated import Replicated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PRICES = {"tea": 350}
TEA = Ask(Change(Verb.ADD, "tea", 1))
ADA = Login("b", "Ada", key="k" * 16)
NAMES = ("one", "two", "three", "four")
SECRET = "a secret of the tests, shared by all servers"
SYNC = Config(strategy="replicated", replication="sync", secret=SECRET, peer_timeout=2)

Servers = dict[str, Replicated]


@pytest.fixture
async def site() -> AsyncIterator[Servers]:
    async with AsyncExitStack() as stack:
        servers, addresses = {}, {}
        for name in NAMES:
            server = servers[name] = Replicated(replace(SYNC, server_id=name), PRICES)
            said = await server.start()
            stack.push_async_callback(server.close)
            addresses[name] = f"{said['peer_host']}:{said['peer_port']}"
        for server in servers.values():
            server.tell(addresses)
        yield servers


async def test_every_server_knows_that_the_old_id_is_dead_and_every_one_finds_the_new(site: Servers) -> None:
    await site["one"].change("a", replace(TEA, create=True))
    await site["one"].login("a", ADA)
    for server in site.values():
        with pytest.raises(NoSuchSession):
            await server.read("a")
        assert "a" in server._copies.dead
        answer = await server.read("b")
        assert (answer.cart.quantity("tea"), answer.who) == (1, "Ada")


async def test_who_takes_over_after_the_owners_death_has_the_login_and_its_key(site: Servers) -> None:
    await site["one"].change("a", replace(TEA, create=True))
    backup = (await site["one"].login("a", ADA)).backups[0]
    await site["one"].close()
    again = await site[backup].login("a", ADA)
    assert (again.replayed, again.who, again.cart.quantity("tea")) == (True, "Ada", 1)
    with pytest.raises(KeyReused):
        await site[backup].login("a", replace(ADA, who="Eve"))


@pytest.mark.parametrize("end", ["login", "logout"])
async def test_a_copy_that_comes_late_revives_nothing(site: Servers, end: str) -> None:
    await site["one"].change("a", replace(TEA, create=True))
    backup = site[ranked("a", ["two", "three", "four"])[0]]
    late = site["one"]._copies.snapshot("a")
    await (site["one"].login("a", ADA) if end == "login" else site["one"].logout("a"))
    assert late
    for message in (late, late | {"epoch": 99}, late | {"kind": "merge", "epoch": 99}):
        assert backup.take([message])["dead"] == ["a"]
        assert backup._copies.snapshot("a") is None


async def test_a_server_that_missed_it_is_told_when_it_sends(site: Servers) -> None:
    """As one that was cut off, or asleep: it still thinks that it owns the session."""
    await site["one"].change("a", replace(TEA, create=True))
    mine = site["one"]._copies.snapshot("a")
    await site["one"].login("a", ADA)
    site["one"]._copies.dead = Tombs(60, 9)
    site["one"]._copies.roles.pop("b")
    assert mine
    site["one"]._copies._install(mine)
    with pytest.raises((StoreCut, NoSuchSession)):
        await site["one"].change("a", replace(TEA, key="late"))
    async with asyncio.timeout(20):
        while "a" not in site["one"]._copies.dead:
            await asyncio.sleep(0.01)
    assert all(server._copies.snapshot("a") is None for server in site.values())


async def test_a_server_that_missed_it_and_is_asked_hears_it_from_the_others(site: Servers) -> None:
    await site["one"].change("a", replace(TEA, create=True))
    copy = site["one"]._copies.snapshot("a")
    await site["one"].login("a", ADA)
    assert copy
    site["two"]._copies.dead = Tombs(60, 9)
    site["two"]._copies._install(copy)
    with pytest.raises(NoSuchSession):
        await site["two"].read("a")
    assert site["two"]._copies.snapshot("a") is None


def test_tombstones_are_bounded_in_number_and_time() -> None:
    now = [0.0]
    tombs = Tombs(10, 2, clock=lambda: now[0])
    for session in "abc":
        tombs.add(session)
    assert ("a" in tombs, "b" in tombs, "c" in tombs) == (False, True, True)
    now[0] = 10
    assert "c" not in tombs
    tombs.add("d")
    assert len(tombs) == 1
