"""Outlier ejection as clients and operators see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.net.lb.conftest import OpenBackend, Peer, Seen, StartLb


async def test_a_server_that_fails_requests_while_its_checks_pass_is_out_for_a_while(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    s1, s2 = await backend("s1"), await backend("s2")
    flags = ["--sticky", "cookie", "--outlier-consecutive-5xx", "3", "--outlier-base-ejection-time", "0.5"]
    lb = await start_lb(s1, s2, flags=flags)

    async def failing(peer: Peer, seen: Seen) -> None:
        await peer.answer(b"", status="500 Internal Server Error")

    s1.script = failing
    assert [(await lb.get(Cookie="LABSRV=s1")).status for _ in range(3)] == [500] * 3
    shown = await lb.server("s1")
    assert (shown["state"], shown["code"]) == ("ejected", "OUTLIER")
    moved = await lb.get(Cookie="LABSRV=s1")
    assert (moved.status, moved["x-lab-moved-from"]) == (200, "s1")
    s1.script = None
    assert (await lb.until("s1", "up"))["cause"] == "ejection over"
    _, text = await lb.api("GET", "/metrics")
    assert 'haproxy_server_status{server="s1",state="ejected"} 0.0' in text


async def test_without_the_flag_nobody_is_ejected(start_lb: StartLb, backend: OpenBackend) -> None:
    s1 = await backend("s1")
    lb = await start_lb(s1)

    async def failing(peer: Peer, seen: Seen) -> None:
        await peer.answer(b"", status="503 Service Unavailable")

    s1.script = failing
    assert {(await lb.get()).status for _ in range(20)} == {503}
    assert (await lb.server("s1"))["state"] == "up"
