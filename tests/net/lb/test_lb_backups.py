"""Backup servers: idle while anybody else takes new sessions, and faithful afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.net.lb.conftest import Answer, Backend, Lb, OpenBackend, StartLb


async def start(start_lb: StartLb, backend: OpenBackend, *flags: str) -> tuple[Lb, Backend, Backend]:
    s1, b1 = await backend("s1"), await backend("b1")
    lb = await start_lb(s1, flags=("--backup", f"b1={b1.address}", *flags))
    await lb.until("b1", "backup")
    return lb, s1, b1


@pytest.mark.parametrize("sticky", ["none", "learn", "cookie", "hash"])
async def test_a_backup_gets_nothing_until_the_last_ordinary_server_fails(
    start_lb: StartLb, backend: OpenBackend, sticky: str
) -> None:
    lb, s1, b1 = await start(start_lb, backend, "--sticky", sticky)
    for number in range(5):
        assert (await lb.get(Cookie=f"cart_sid={number}"))["x-lab-server"] == "s1"
    s1.close()
    answers = [await lb.get(Cookie=f"cart_sid={number}") for number in range(5)]
    assert {(answer.status, answer["x-lab-server"]) for answer in answers} == {(200, "b1")}
    assert len(b1.seen) == 5


@pytest.mark.parametrize(("sticky", "stays"), [("learn", True), ("cookie", True), ("hash", False)])
async def test_a_session_that_a_backup_took_over_stays_with_it_unless_it_is_hashed(
    start_lb: StartLb, backend: OpenBackend, sticky: str, *, stays: bool
) -> None:
    lb, s1, _ = await start(start_lb, backend, "--sticky", sticky)
    jar: dict[str, str] = {}

    def keep(answer: Answer) -> None:
        pairs = (line.partition(";")[0].partition("=") for line in answer.all("set-cookie"))
        jar.update({name: value for name, _, value in pairs})

    keep(await lb.get())

    async def ask() -> str | None:
        answer = await lb.get(Cookie="; ".join(f"{name}={value}" for name, value in jar.items()))
        keep(answer)
        return answer["x-lab-server"]

    assert await ask() == "s1"
    s1.close()
    assert await ask() == "b1"
    await s1.open()
    await lb.until("s1", "up")
    assert await ask() == ("b1" if stays else "s1")
    assert (await lb.get())["x-lab-server"] == "s1"


async def test_new_sessions_go_to_the_backup_while_all_others_drain(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    lb, *_ = await start(start_lb, backend, "--sticky", "learn")
    cookie = str((await lb.get())["set-cookie"]).split(";", 1)[0]
    await lb.put("s1", state="drain")
    assert (await lb.get())["x-lab-server"] == "b1"
    assert (await lb.get(Cookie=cookie))["x-lab-server"] == "s1"


async def test_backups_are_used_one_at_a_time_unless_all_are_asked_for(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    b1, b2 = await backend("b1"), await backend("b2")
    flags = ["--backup", f"b1={b1.address}", "--backup", f"b2={b2.address}"]
    for more, expected in ([], {"b1"}), (["--allbackups"], {"b1", "b2"}):
        lb = await start_lb(flags=[*flags, *more])
        await lb.until("b1", "backup")
        await lb.until("b2", "backup")
        assert {(await lb.get())["x-lab-server"] for _ in range(4)} == expected


async def test_a_backup_can_join_while_the_balancer_runs(start_lb: StartLb, backend: OpenBackend) -> None:
    s1, b1 = await backend("s1"), await backend("b1")
    lb = await start_lb(s1)
    assert (await lb.put("b1", address=b1.address, backup=True))["backup"] is True
    await lb.until("b1", "backup")
    assert {(await lb.get())["x-lab-server"] for _ in range(4)} == {"s1"}
    s1.close()
    assert (await lb.get())["x-lab-server"] == "b1"
