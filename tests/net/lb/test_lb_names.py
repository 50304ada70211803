"""A name that no resolver knows, or knows slowly, is no trouble of the servers that are there."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from lb.names import Names

if TYPE_CHECKING:
    from tests.net.lb.conftest import OpenBackend, StartLb


async def test_a_name_that_nobody_knows_is_a_server_that_gets_nothing(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    there = await backend("there")
    lb = await start_lb(there, flags=("--server", "gone=no-such-server.invalid:8000"), up=False)
    await lb.until("there", "up")
    assert {(await lb.get())["x-lab-server"] for _ in range(4)} == {"there"}
    assert (await lb.server("gone"))["state"] == "starting"


async def test_all_who_ask_for_a_name_wait_for_one_look_up(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, answered = [], asyncio.Event()

    async def slowly(host: str, *_: object, **__: object) -> list[object]:
        asked.append(host)
        await answered.wait()
        raise OSError("no such name")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", slowly)
    names = Names()
    for _ in range(5):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await names.check("gone")
    last = asyncio.create_task(names.check("gone"))
    await names.check("127.0.0.1")
    await names.check("::1")
    assert asked == ["gone"]
    answered.set()
    with pytest.raises(OSError, match="no such name"):
        await last
    with pytest.raises(OSError, match="no such name"):
        await names.check("gone")
    assert asked == ["gone", "gone"], "an answer is not kept"
