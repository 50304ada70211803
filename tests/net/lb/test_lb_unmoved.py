"""Who is served elsewhere without being moved: the log says it, the count of moves does not."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.net.lb.conftest import OpenBackend, StartLb


@pytest.mark.parametrize(
    "flags", [("--sticky", "hash"), ("--sticky", "cookie", "--failover", "open")], ids=["hash", "open"]
)
async def test_who_is_served_elsewhere_without_a_move_is_in_the_log(
    start_lb: StartLb, backend: OpenBackend, tmp_path: Path, flags: tuple[str, ...]
) -> None:
    servers = {name: await backend(name) for name in ("s1", "s2")}
    log = tmp_path / "log"
    lb = await start_lb(*servers.values(), flags=(*flags, "--log", str(log)))
    first = await lb.get(Cookie="cart_sid=x")
    home = str(first["x-lab-server"])
    cookie = "; ".join(["cart_sid=x", *(line.partition(";")[0] for line in first.all("set-cookie"))])
    servers[home].close()
    await lb.until(home, "down")
    assert (await lb.get(Cookie=cookie))["x-lab-moved-from"] == home
    async with asyncio.timeout(10):
        while len(lines := log.read_text().splitlines()) < 2:
            await asyncio.sleep(0.02)
    last = json.loads(lines[-1])
    assert (last["state"], last["moved_from"]) == ("--DN", home)
    assert (await lb.counters())["sessions_moved"] == 0
