from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab.errors import HealingFailed
from lab.faults import FAULTS, Kill, Pause, Restart, Stop
from lab.faults.together import together
from lab.timeline import FaultBegan, FaultHealed, Timeline
from lab.topology import Platform, stateless_arm, sticky_arm

if TYPE_CHECKING:
    from lab.faults.fault import ServerFault


@dataclass
class Stage:
    """The port that a kill asks for, with no process behind it: what it was told, in order."""

    told: list[str] = field(default_factory=list)
    refuses: str | None = None
    slow_to_start: asyncio.Event | None = None
    never_starts: bool = False
    slow_to_kill: asyncio.Event | None = None
    killing: bool = False

    async def kill(self, server: str) -> None:
        self.killing = True
        if self.slow_to_kill is not None:
            await self.slow_to_kill.wait()
        if server == self.refuses:
            raise ConnectionError(server)
        self.told.append(f"kill {server}")

    async def stop(self, server: str) -> None:
        self.told.append(f"stop {server}")

    async def pause(self, server: str) -> None:
        self.told.append(f"pause {server}")

    async def resume(self, server: str) -> None:
        self.told.append(f"resume {server}")

    async def start(self, server: str) -> None:
        if self.slow_to_start is not None:
            await self.slow_to_start.wait()
        if self.never_starts:
            raise TimeoutError
        self.told.append(f"start {server}")


def kill(stage: Stage, server: str = "server-2", timeline: Timeline | None = None) -> Kill:
    return Kill("sticky", server, stage, timeline or Timeline(), lambda: 1.0)


async def test_a_fault_begins_and_always_heals() -> None:
    stage, timeline = Stage(), Timeline()
    async with kill(stage, timeline=timeline):
        assert stage.told == ["kill server-2"]
    assert stage.told == ["kill server-2", "start server-2"]
    assert [type(event) for event in timeline.events] == [FaultBegan, FaultHealed]


@pytest.mark.parametrize(
    ("fault", "inflicts", "heals"),
    [(Stop, "stop server-2", "start server-2"), (Pause, "pause server-2", "resume server-2")],
)
async def test_what_a_fault_does_is_undone_when_the_block_fails(
    fault: type[ServerFault], inflicts: str, heals: str
) -> None:
    stage = Stage()
    with pytest.raises(RuntimeError, match="shoppers left"):
        async with fault("sticky", "server-2", stage, Timeline(), lambda: 1.0):
            raise RuntimeError("shoppers left")
    assert stage.told == [inflicts, heals]


async def test_a_restart_is_healed_before_anybody_goes_on() -> None:
    stage, timeline = Stage(), Timeline()
    async with Restart("sticky", "server-2", stage, timeline, lambda: 1.0):
        assert stage.told == ["stop server-2", "start server-2"]
        assert [type(event) for event in timeline.events] == [FaultBegan, FaultHealed]
    assert len(stage.told) == 2
    assert Restart.story.heal is None


def test_every_fault_tells_what_it_does_and_what_it_undoes() -> None:
    for name, fault in FAULTS.items():
        assert name == fault.name
        assert fault.did
        assert fault.undid
        assert fault.platforms


@pytest.mark.parametrize("fault", [Kill, Stop, Pause])
async def test_nothing_is_done_at_strength_zero(fault: type[ServerFault]) -> None:
    stage, timeline = Stage(), Timeline()
    async with fault("sticky", "server-2", stage, timeline, lambda: 1.0, 0.0):
        pass
    assert not stage.told
    assert [type(event) for event in timeline.events] == [FaultBegan, FaultHealed]


def test_the_table_of_faults_has_a_row_for_each() -> None:
    page = (Path(__file__).parents[2] / "docs/faults.md").read_text()
    assert re.findall(r"(?m)^\| `([\w-]+)` \|", page) == ["--fault", *FAULTS]


def test_a_fault_that_would_hit_nothing_is_refused() -> None:
    memory, stateless = sticky_arm(), stateless_arm()
    here = Platform.PROCESSES
    for name in ("store-kill", "store-freeze", "store-full", "cut-from-store"):
        assert "store" in (FAULTS[name].refusal(here, [memory]) or "")
        assert FAULTS[name].refusal(here, [stateless]) is None
    assert "replicated" in (FAULTS["cut-from-servers"].refusal(here, [stateless]) or "")
    forgetful = replace(stateless, store_log=False)
    assert "keeps none" in (FAULTS["store-power-loss"].refusal(here, [forgetful]) or "")
    assert "haproxy" in (FAULTS["balancer-restart"].refusal(here, [replace(stateless, lb="haproxy")]) or "")


async def test_a_fault_heals_when_the_block_fails() -> None:
    stage = Stage()
    with pytest.raises(RuntimeError, match="shoppers left"):
        async with kill(stage):
            raise RuntimeError("shoppers left")
    assert stage.told == ["kill server-2", "start server-2"]


async def test_a_fault_heals_although_the_run_is_cancelled_twice() -> None:
    stage = Stage(slow_to_start=asyncio.Event())
    assert stage.slow_to_start is not None

    async def run() -> None:
        async with kill(stage):
            await asyncio.Event().wait()

    task = asyncio.create_task(run())
    while not stage.told:
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    stage.slow_to_start.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stage.told == ["kill server-2", "start server-2"]


async def test_a_server_that_does_not_come_back_is_a_healing_that_failed() -> None:
    with pytest.raises(HealingFailed, match=r"log/sticky-server-2\.log"):
        async with kill(Stage(never_starts=True)):
            pass


async def test_faults_together_all_begin_and_all_heal() -> None:
    stage = Stage()
    async with together([kill(stage, "server-1"), kill(stage, "server-2")]):
        assert sorted(stage.told) == ["kill server-1", "kill server-2"]
    assert sorted(stage.told[2:]) == ["start server-1", "start server-2"]


async def test_when_one_fault_cannot_begin_the_others_heal_and_the_block_is_not_entered() -> None:
    stage = Stage(refuses="server-1")
    entered = False
    with pytest.raises(ConnectionError):
        async with together([kill(stage, "server-2"), kill(stage, "server-1")]):
            entered = True
    assert not entered
    assert {"kill server-2", "start server-2"} <= set(stage.told)


async def test_faults_together_heal_when_the_run_is_cancelled() -> None:
    stage = Stage()

    async def run() -> None:
        async with together([kill(stage, "server-1"), kill(stage, "server-2")]):
            await asyncio.Event().wait()

    task = asyncio.create_task(run())
    while len(stage.told) < 2:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert sorted(stage.told[2:]) == ["start server-1", "start server-2"]


async def test_faults_together_heal_although_the_run_is_cancelled_while_they_begin() -> None:
    stage = Stage(slow_to_kill=asyncio.Event())
    assert stage.slow_to_kill is not None

    async def run() -> None:
        async with together([kill(stage)]):
            await asyncio.Event().wait()

    task = asyncio.create_task(run())
    while not stage.killing:
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    stage.slow_to_kill.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stage.told == ["kill server-2", "start server-2"]
