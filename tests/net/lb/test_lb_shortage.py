"""A balancer that has run out of descriptors: its servers are not to blame."""

from __future__ import annotations

import asyncio
import resource
import sys
from typing import TYPE_CHECKING

import psutil
import pytest

if TYPE_CHECKING:
    from tests.net.lb.conftest import Answer, OpenBackend, Peer, Seen, StartLb

#: What standard input, output and the loop take: below it nothing is free, whatever is closed.
NOTHING_FREE = 3


@pytest.mark.skipif(sys.platform != "linux", reason="another process's limits can be set on Linux only")
async def test_t05_a_balancer_without_descriptors_blames_no_server(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    s1 = await backend("s1")

    async def script(peer: Peer, seen: Seen) -> None:
        await peer.answer(b"", "Connection: close")  # so that each request needs a connection of its own

    s1.script = script
    lb = await start_lb(s1)
    process = psutil.Process(lb.process.pid)
    _, hard = process.rlimit(psutil.RLIMIT_NOFILE)
    wire = await lb.wire()
    assert (await wire.get()).status == 200
    process.rlimit(psutil.RLIMIT_NOFILE, (NOTHING_FREE, hard))
    answers: list[Answer] = []
    while len(answers) < 40:  # two seconds, in which twenty checks are due
        answers.append(await wire.get())
        await asyncio.sleep(0.05)
    process.rlimit(psutil.RLIMIT_NOFILE, (1000, hard))
    assert {answer.status for answer in answers} == {502}
    assert all("error=proxy_internal_error" in (answer["proxy-status"] or "") for answer in answers)
    assert (await lb.server("s1"))["state"] == "up"
    _, metrics = await lb.api("GET", "/metrics")
    assert 'haproxy_server_check_failures_total{server="s1"} 0.0' in metrics
    assert (await wire.get()).status == 200


async def test_t05_a_balancer_takes_as_many_descriptors_as_it_may(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))
    try:
        s1 = await backend("s1")
        lb = await start_lb(s1)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if sys.platform == "linux":
        now, _ = psutil.Process(lb.process.pid).rlimit(psutil.RLIMIT_NOFILE)
        assert now == (20_000 if hard == resource.RLIM_INFINITY else min(hard, 20_000))
