"""What could go round for ever does not: retries of a site that fails, requests that come back."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.net.lb.conftest import OpenBackend, Peer, Seen, StartLb


async def test_f14_when_all_servers_fail_retries_stay_within_the_budget(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    servers = [await backend(f"s{n}") for n in range(1, 4)]

    async def reset(peer: Peer, seen: Seen) -> None:
        peer.reset()

    for server in servers:
        server.script = reset
    lb = await start_lb(*servers, flags=("--retry-budget", "20", "--fall", "1000"))
    answers = await asyncio.gather(*(lb.get() for _ in range(100)))
    assert {answer.status for answer in answers} == {502}
    assert 100 < sum(len(server.seen) for server in servers) <= 100 * 1.2 + 10
    counters = await lb.counters()
    assert counters["retries"] + counters["redispatches"] <= 30
    assert counters["retries_denied"] > 0
    _, text = await lb.api("GET", "/metrics")
    assert f"lb_retries_denied_total {float(counters['retries_denied'])}" in text


async def test_s12_a_request_that_comes_back_is_answered_508(start_lb: StartLb, backend: OpenBackend) -> None:
    s1 = await backend("s1")
    lb = await start_lb(s1)
    await lb.put("itself", address=f"127.0.0.1:{lb.port}")
    await lb.until("itself", "up")  # it passes the check of s1 through
    answers = [await lb.get() for _ in range(4)]
    looped = [answer for answer in answers if answer.status == 508]
    assert looped
    assert {answer.status for answer in answers} <= {200, 508}
    assert "error=proxy_loop_detected" in str(looped[0]["proxy-status"])


async def test_a_via_of_somebody_else_is_no_loop(start_lb: StartLb, backend: OpenBackend) -> None:
    s1 = await backend("s1")
    lb = await start_lb(s1)
    assert (await lb.get(Via="1.1 lb, 1.1 lb-00000000")).status == 200
    first, second = s1.seen[-1].all("via")
    assert first == "1.1 lb, 1.1 lb-00000000"
    assert second.startswith("1.1 lb-")
