"""Slow start as clients see it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.net.lb.conftest import OpenBackend, StartLb


async def test_a_server_that_came_back_gets_few_new_sessions_and_all_of_its_own(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    s1, s2 = await backend("s1"), await backend("s2")
    lb = await start_lb(s1, s2, flags=("--sticky", "cookie", "--slowstart", "600"))
    assert Counter([(await lb.get())["x-lab-server"] for _ in range(10)]) == {"s1": 5, "s2": 5}
    s2.close()
    await lb.until("s2", "down")
    await s2.open()
    assert (await lb.until("s2", "up"))["pace"] == 0.1
    counts = Counter([(await lb.get())["x-lab-server"] for _ in range(33)])
    assert counts["s2"] in (3, 4)
    assert {(await lb.get(Cookie="LABSRV=s2"))["x-lab-server"] for _ in range(10)} == {"s2"}
