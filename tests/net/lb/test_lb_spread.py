"""When checks come: not all at once."""

from __future__ import annotations

import asyncio
import time
from random import Random
from typing import TYPE_CHECKING

from lb.balance import RoundRobin
from lb.balancer import Balancer
from lb.checks import Checks
from lb.events import Events
from lb.failover import Failover
from lb.pool import Address, Pool
from lb.route import Routing
from lb.settings import Settings
from lb.sticky import NoSticky

if TYPE_CHECKING:
    from tests.net.lb.conftest import OpenBackend


async def test_servers_that_were_met_together_are_not_checked_together(backend: OpenBackend) -> None:
    server = await backend("s1")
    routing = Routing(Pool(time.time), NoSticky(), RoundRobin(), Failover.REBALANCE)
    balancer = Balancer(Settings(listen=Address("127.0.0.1", 0), inter=2), routing, Events(time.time))
    checks = Checks(balancer, Random(7))  # noqa: S311 - the same each time
    at = Address("127.0.0.1", server.port)
    servers = [balancer.add_server(f"s{n}", at, "added", "NEW", backup=False) for n in range(8)]
    for one in servers:
        checks.watch(one)
    firsts: dict[str, object] = {}
    seconds: dict[str, float] = {}
    async with asyncio.timeout(10):
        while len(seconds) < len(servers):
            for one in servers:
                last = checks.last_result(one)
                if last is not None and firsts.setdefault(one.name, last) is not last:
                    seconds.setdefault(one.name, time.monotonic())
            await asyncio.sleep(0.005)
    checks.stop()
    balancer.close()
    assert max(seconds.values()) - min(seconds.values()) > 0.5
