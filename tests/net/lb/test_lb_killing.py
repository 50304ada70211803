"""``kill -9`` of one of three servers under load: whose sessions move, for each kind of tie."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.net.lb.conftest import Answer, Lb, Process, StartLb, Wire

SESSIONS = 60


@dataclass
class Shopper:
    """One session. It keeps every cookie, and remembers who answered."""

    lb: Lb
    jar: dict[str, str] = field(default_factory=dict)
    answers: list[Answer] = field(default_factory=list)

    async def enter(self) -> None:
        """Three requests of the same client; a hash needs the cookie of the first to find a home."""
        wire = await self.lb.wire()
        for _ in range(3):
            await self.ask(wire)
        wire.close()
        del self.answers[:-1]

    async def ask(self, wire: Wire) -> None:
        cookies = "; ".join(f"{name}={value}" for name, value in self.jar.items())
        answer = await (wire.get(Cookie=cookies) if cookies else wire.get())
        for line in answer.all("set-cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            self.jar[name] = value
        self.answers.append(answer)

    async def shop(self, stop: asyncio.Event) -> None:
        wire = await self.lb.wire()
        while not stop.is_set():
            await self.ask(wire)
            if self.answers[-1]["connection"] == "close":
                wire = await self.lb.wire()

    @property
    def homes(self) -> list[str]:
        """Where it was, one name for each stay."""
        names = [str(answer["x-lab-server"]) for answer in self.answers]
        return [name for name, before in zip(names, ["", *names], strict=False) if name != before]


async def killed_under_load(lb: Lb, processes: list[Process]) -> tuple[list[Shopper], Process]:
    """Everybody shops while the second server is killed, and three rounds longer."""
    crowd = [Shopper(lb) for _ in range(SESSIONS)]
    for start in range(0, SESSIONS, 20):
        await asyncio.gather(*(shopper.enter() for shopper in crowd[start : start + 20]))
    stop = asyncio.Event()
    shopping = [asyncio.ensure_future(shopper.shop(stop)) for shopper in crowd]

    async def rounds(count: int) -> None:
        goals = [len(shopper.answers) + count for shopper in crowd]
        async with asyncio.timeout(15):
            while any(len(shopper.answers) < goal for shopper, goal in zip(crowd, goals, strict=True)):
                await asyncio.sleep(0.01)

    await rounds(2)
    await processes[1].kill()
    await lb.until(processes[1].name, "down")
    await rounds(3)
    stop.set()
    await asyncio.gather(*shopping)
    return crowd, processes[1]


@pytest.mark.parametrize("sticky", ["learn", "cookie", "hash"])
async def test_f12_a_kill_moves_exactly_the_sessions_of_the_server_that_died(
    start_lb: StartLb, processes: list[Process], sticky: str
) -> None:
    lb = await start_lb(*processes, flags=("--sticky", sticky))
    crowd, victim = await killed_under_load(lb, processes)
    assert {answer.status for shopper in crowd for answer in shopper.answers} == {200}
    moved = [shopper.homes for shopper in crowd if len(shopper.homes) > 1]
    stayed = [shopper.homes for shopper in crowd if len(shopper.homes) == 1]
    assert {homes[0] for homes in moved} == {victim.name}
    assert {len(homes) for homes in moved} == {2}, "moved once, and stayed there"
    assert {homes[0] for homes in stayed} == {process.name for process in processes if process is not victim}
    if sticky != "hash":  # a hashed session is nowhere but where its hash says: each request finds out anew
        assert (await lb.counters())["sessions_moved"] == len(moved)


async def test_f12_with_mod_a_kill_moves_sessions_of_servers_that_are_well(
    start_lb: StartLb, processes: list[Process]
) -> None:
    lb = await start_lb(*processes, flags=("--sticky", "hash", "--hash-type", "mod"))
    crowd, victim = await killed_under_load(lb, processes)
    innocent = [shopper.homes for shopper in crowd if shopper.homes[0] != victim.name]
    assert len([homes for homes in innocent if len(homes) > 1]) > len(innocent) / 4, innocent
