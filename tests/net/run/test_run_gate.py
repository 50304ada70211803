"""A sick site is not broken further."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from lab import gate
from lab.capacity import LEAST, rate_for_each
from lab.cluster.family import Family
from lab.cluster.processes import open_sites
from lab.errors import Aborted
from lab.topology import sticky_arm

if TYPE_CHECKING:
    from pathlib import Path

    from tests.net.conftest import Corner

pytestmark = [pytest.mark.slow, pytest.mark.timeout(90)]


async def test_the_gate_lets_a_well_site_through_and_refuses_one_with_a_frozen_server(
    corner: Corner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arm = sticky_arm(servers=2)
    async with Family("run", "gate", tmp_path / "log") as family, open_sites([arm], family) as sites:
        site = sites["sticky"]
        await gate.steady(arm, site)
        monkeypatch.setattr(gate, "WITHIN", 2.0)
        frozen = site.servers["server-2"].child
        frozen.signal(signal.SIGSTOP)
        with pytest.raises(Aborted, match=r"server-2|request failed"):
            await gate.steady(arm, site)
        frozen.signal(signal.SIGCONT)


async def test_the_rate_of_a_plan_follows_what_the_machine_served(corner: Corner, tmp_path: Path) -> None:
    arm = sticky_arm(servers=2)
    async with Family("run", "rate", tmp_path / "log") as family, open_sites([arm], family) as sites:
        alone = await rate_for_each([sites["sticky"].front.url])
        shared = await rate_for_each([sites["sticky"].front.url] * 2)
    assert alone > shared > LEAST


async def test_a_site_that_answers_nobody_still_gets_a_plan_that_ends() -> None:
    assert await rate_for_each(["http://127.0.0.1:9"]) == LEAST
