"""``kill -9`` of the driver in the middle of a fault: nothing stays frozen, cut or running."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import psutil
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.net.conftest import Program

#: A driver that has inflicted the fault that it was told, and waits.
DRIVER = """
import asyncio, sys, time
from pathlib import Path
from lab.cluster.family import Family
from lab.cluster.processes import open_sites
from lab.faults import FAULTS
from lab.ledger import STORE
from lab.timeline import Timeline
from lab.topology import Arm

async def main(name, folder):
    kind = FAULTS[name]
    arm = Arm("it", "replicated" if name == "cut-from-servers" else "stateless", "learn", servers=2)
    async with Family("run", "test", folder) as family:
        async with open_sites([arm], family, links=kind.links) as sites:
            target = STORE if kind.hits.on_store else "server-1"
            async with kind(arm.name, target, sites[arm.name], Timeline(), time.monotonic):
                print("broken", flush=True)
                await asyncio.Event().wait()

asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
"""


def is_frozen(driver: Program) -> bool:
    """Whether any of its children is; one that ends while it is looked at is not."""
    for process in driver.children():
        with suppress(psutil.NoSuchProcess):
            if process.status() == psutil.STATUS_STOPPED:
                return True
    return False


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault",
    [
        *("kill", "pause", "black-hole", "cut-from-balancer", "slow", "reply-lost"),
        *("cut-from-store", "cut-from-servers", "store-freeze", "store-full"),
    ],
)
def test_nothing_outlives_a_driver_that_is_killed_during_a_fault(
    fault: str, corner: Any, tmp_path: Any, wait_until: Callable[..., None]
) -> None:
    driver = corner.run(DRIVER, fault, str(tmp_path))
    driver.says("broken")
    if fault in ("pause", "store-freeze"):
        # The signal is sent; the kernel stops the process when it next gets to it.
        wait_until(lambda: is_frozen(driver), "one of the driver's children is frozen")
    driver.kill()
    wait_until(lambda: not driver.members(), "the driver's children are gone")
    wait_until(lambda: not corner.left_over(), f"{corner.left_over()} are gone")
