"""What every kind of site promises through its ports: it starts, breaks, heals, reports and ends."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

import aiohttp
import pytest

from lab.cluster.family import Family
from lab.cluster.ports import Side
from lab.cluster.processes import open_sites
from lab.errors import UsageProblem
from lab.topology import stateless_arm, sticky_arm

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from lab.cluster.ports import Cuts, Site
    from lab.timeline import ServerChanged

    Opens = Callable[..., AbstractAsyncContextManager[dict[str, Site]]]

ORDER = {"item": "iPhone 15", "price": 1200}
SOON = 20.0


@pytest.fixture(params=["processes", pytest.param("docker", marks=pytest.mark.timeout(240))])
def opens(request: pytest.FixtureRequest, corner: Any, tmp_path: Path) -> Opens:
    """Opens a site for each arm given; when it is closed nothing may be left of it."""
    kind = request.param
    if kind == "docker":
        request.getfixturevalue("engine")

    @asynccontextmanager
    async def opened(*arms: Any, **options: Any) -> AsyncIterator[dict[str, Site]]:
        async with Family("run", "test", tmp_path) as family:
            opening: Any
            if kind == "docker":
                from lab.cluster.compose.stack import open_stack  # noqa: PLC0415 - the SDK, only with an engine

                opening = open_stack(arms, family, **options)
            else:
                opening = open_sites(arms, family, **options)
            async with opening as sites:
                yield dict(sites)
        assert not corner.left_over()

    return opened


async def ask(url: str, **options: Any) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as client, client.get(url, **options) as answer:
        return answer.status, await answer.json()


async def state_of(site: Site, server: str) -> str:
    _, listed = await ask(f"{site.admin.url}/servers")
    states: dict[str, str] = {row["name"]: row["state"] for row in listed["servers"]}
    return states[server]


async def becomes(site: Site, server: str, state: str) -> None:
    async with asyncio.timeout(SOON):
        while await state_of(site, server) != state:
            await asyncio.sleep(0.02)


async def put_into_a_cart(site: Site) -> tuple[str, str]:
    """Add one thing; the server that took it, and the cookie."""
    async with (
        aiohttp.ClientSession() as client,
        client.post(f"{site.front.url}/cart/add", json=ORDER) as answer,
    ):
        assert answer.status == 200, await answer.text()
        return answer.headers["X-Served-By"], answer.headers["Set-Cookie"].partition(";")[0]


async def cart_of(site: Site, cookie: str) -> tuple[str, int]:
    """Who answers, and how many lines the cart has."""
    status, body = await ask(f"{site.front.url}/cart", headers={"Cookie": cookie})
    assert status == 200, body
    return body["serverId"], len(body["cart"])


async def test_both_arms_start_side_by_side_and_every_server_answers(opens: Opens) -> None:
    async with opens(sticky_arm(2), stateless_arm(2)) as sites:
        for site in sites.values():
            answers = [await ask(f"{site.front.url}/cart") for _ in range(4)]
            assert {body["serverId"] for _, body in answers} == {"server-1", "server-2"}
            _, listed = await ask(f"{site.admin.url}/servers")
            assert {row["state"] for row in listed["servers"]} == {"up"}
        assert sites["sticky"].store is None
        assert sites["stateless"].store


async def test_changes_of_state_are_told_on_the_clock_of_the_run(opens: Opens) -> None:
    changes: list[ServerChanged] = []
    began = time.monotonic()

    def clock() -> float:
        return time.monotonic() - began

    async with opens(sticky_arm(1), clock=clock, on_change=changes.append):
        ready_at = clock()
    assert [change.state for change in changes][-2:] == ["starting", "up"]
    assert all(change.arm == "sticky" and change.server == "server-1" for change in changes)
    assert 0 < changes[0].at <= changes[-1].at < ready_at + 0.5


async def test_a_killed_server_stays_dead_until_it_is_started_and_comes_back_empty(opens: Opens) -> None:
    async with opens(sticky_arm(1)) as sites:
        site = sites["sticky"]
        _, cookie = await put_into_a_cart(site)
        assert await cart_of(site, cookie) == ("server-1", 1)
        await site.kill("server-1")
        await becomes(site, "server-1", "down")
        await site.start("server-1")
        assert await state_of(site, "server-1") == "up"
        assert await cart_of(site, cookie) == ("server-1", 0)


async def test_a_server_crashes_itself_when_asked(opens: Opens) -> None:
    async with opens(stateless_arm(2)) as sites:
        site = sites["stateless"]
        await site.crash("server-2")
        await becomes(site, "server-2", "down")
        await site.start("server-2")
        assert await state_of(site, "server-2") == "up"


async def test_a_stopped_server_is_gone_and_what_it_held_with_it(opens: Opens) -> None:
    async with opens(sticky_arm(1)) as sites:
        site = sites["sticky"]
        _, cookie = await put_into_a_cart(site)
        async with asyncio.timeout(8):  # it obeys SIGTERM: nobody has to insist
            await site.stop("server-1")
        await becomes(site, "server-1", "down")
        await site.start("server-1")
        assert await cart_of(site, cookie) == ("server-1", 0)


async def test_a_paused_server_is_called_down_and_goes_on_with_its_memory(opens: Opens) -> None:
    async with opens(sticky_arm(1)) as sites:
        site = sites["sticky"]
        _, cookie = await put_into_a_cart(site)
        await site.pause("server-1")
        await becomes(site, "server-1", "down")
        await site.resume("server-1")
        assert await state_of(site, "server-1") == "up"
        assert await cart_of(site, cookie) == ("server-1", 1)


async def test_a_session_that_moved_from_a_paused_server_stays_where_it_went(opens: Opens) -> None:
    async with opens(sticky_arm(2)) as sites:
        site = sites["sticky"]
        home, cookie = await put_into_a_cart(site)
        await site.pause(home)
        await becomes(site, home, "down")
        elsewhere, lines = await cart_of(site, cookie)
        assert (elsewhere != home, lines) == (True, 0)
        await site.resume(home)
        assert await cart_of(site, cookie) == (elsewhere, 0)
        samples = {sample.server: sample.carts for sample in await site.sample()}
        assert samples[home] == 1  # it is all there, and nobody is sent to it


async def test_starting_a_server_that_runs_changes_nothing(opens: Opens) -> None:
    async with opens(sticky_arm(1)) as sites:
        site = sites["sticky"]
        _, cookie = await put_into_a_cart(site)
        await site.start("server-1")
        assert await cart_of(site, cookie) == ("server-1", 1)


async def test_an_unknown_server_is_refused_with_the_nearest_name(opens: Opens) -> None:
    async with opens(sticky_arm(2)) as sites:
        site = sites["sticky"]
        for act in (site.kill, site.crash, site.stop, site.start, site.pause, site.resume):
            with pytest.raises(UsageProblem, match=r"'server-9'.*server-"):
                await act("server-9")


async def test_samples_tell_carts_and_loads_and_nothing_of_the_dead(opens: Opens) -> None:
    async with opens(sticky_arm(2)) as sites:
        site = sites["sticky"]
        holder, _ = await put_into_a_cart(site)
        samples = {sample.server: sample for sample in await site.sample()}
        (other,) = set(samples) - {holder}
        assert (samples[holder].carts, samples[other].carts) == (1, 0)
        assert all((s.memory or 0) > 1_000_000 and (s.cpu or 0) >= 0 for s in samples.values())
        load = site.balancer_load()
        assert load
        assert load.memory > 1_000_000

        await site.kill(holder)
        samples = {sample.server: sample for sample in await site.sample()}
        assert (samples[holder].carts, samples[holder].cpu, samples[holder].memory) == (None, None, None)
        assert samples[other].carts == 0


async def test_a_frozen_server_does_not_freeze_the_sampling(opens: Opens) -> None:
    async with opens(sticky_arm(2)) as sites:
        site = sites["sticky"]
        await site.pause("server-1")
        async with asyncio.timeout(5):
            samples = await site.sample()
        assert {sample.server: sample.carts for sample in samples} == {"server-1": None, "server-2": 0}


async def test_a_stateless_server_holds_no_carts_to_count(opens: Opens) -> None:
    async with opens(stateless_arm(1)) as sites:
        assert [sample.carts for sample in await sites["stateless"].sample()] == [None]


async def test_sessions_that_had_to_move_are_counted(opens: Opens) -> None:
    async with opens(sticky_arm(2)) as sites:
        site = sites["sticky"]
        home, cookie = await put_into_a_cart(site)
        await site.kill(home)
        assert site.sessions_moved == 0
        assert (await cart_of(site, cookie))[1] == 0
        async with asyncio.timeout(SOON):
            while site.sessions_moved != 1:
                await asyncio.sleep(0.01)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("opens", ["docker"], indirect=True)
async def test_a_container_cut_off_the_balancer_is_down_and_comes_back_with_its_memory(opens: Opens) -> None:
    async with opens(sticky_arm(1)) as sites:
        site = cast("Cuts", sites["sticky"])
        _, cookie = await put_into_a_cart(sites["sticky"])
        await site.cut("server-1", Side.BALANCER)
        await becomes(sites["sticky"], "server-1", "down")
        await site.mend("server-1", Side.BALANCER)
        assert await cart_of(sites["sticky"], cookie) == ("server-1", 1)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("opens", ["docker"], indirect=True)
async def test_a_container_cut_off_the_store_says_that_it_is_not_ready(opens: Opens) -> None:
    async with opens(stateless_arm(2)) as sites:
        site = cast("Cuts", sites["stateless"])
        _, cookie = await put_into_a_cart(sites["stateless"])
        await site.cut("server-1", Side.STORE)
        await becomes(sites["stateless"], "server-1", "down")
        assert await cart_of(sites["stateless"], cookie) == ("server-2", 1)
        await site.mend("server-1", Side.STORE)
        assert await state_of(sites["stateless"], "server-1") == "up"
