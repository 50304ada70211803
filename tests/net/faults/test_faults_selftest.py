"""Every fault put to the test by the command that users have, and the self-test put to the test itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from lab.cluster.family import Family
from lab.cluster.ports import Side
from lab.cluster.processes import open_sites
from lab.faults import FAULTS, Pause, Slow
from lab.selftest.sight import Sight
from lab.selftest.symptoms import MEMORY, SYMPTOMS
from lab.selftest.trial import Examination, Trial
from lab.verdict import Verdict
from lab.wire import rule

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def whole(shared_corner: Any) -> dict[str, Any]:
    done = shared_corner.cartlab("selftest", "--json")
    assert done.returncode in (0, 1, 3), done.stderr
    assert not shared_corner.left_over()
    said: dict[str, Any] = json.loads(done.stdout)
    return said


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_shows_its_symptom_in_time_and_heals(whole: dict[str, Any], fault: str) -> None:
    trial = next(each for each in whole["faults"] if each["fault"] == fault)
    assert trial["verdict"] == "held", trial
    assert 0 <= trial["seen"] <= trial["within"] + 0.1
    assert trial["healed"] is not None


def test_every_fault_has_a_symptom() -> None:
    assert set(SYMPTOMS) == set(FAULTS)


def test_some_faults_can_be_tested_alone_and_told_line_by_line(corner: Any) -> None:
    done = corner.cartlab("selftest", "--only", "slow", "--plain")
    assert done.returncode == 0, done.stdout + done.stderr
    (line,) = done.stdout.splitlines()
    assert line.split("\t")[:2] == ["held", "slow"]
    assert "\x1b" not in line


def test_an_unknown_fault_is_refused_with_the_nearest_name(corner: Any) -> None:
    done = corner.cartlab("selftest", "--only", "slwo")
    assert done.returncode == 2
    assert "Did you mean 'slow'" in done.stderr


async def tried(name: str, folder: Path) -> Trial:
    async with (
        Family("run", "trial", folder) as family,
        open_sites([MEMORY], family, links=[Side.BALANCER]) as sites,
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http,
    ):
        return await Examination(name, SYMPTOMS[name], Sight(sites[MEMORY.name], http)).run()


async def test_the_self_test_sees_a_fault_that_does_nothing(
    corner: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Slow, "rule", lambda _: rule.PASSING)
    trial = await tried("slow", tmp_path)
    assert (trial.verdict, trial.seen) == (Verdict.BROKEN, None)
    assert "did not come within 2 s" in trial.reason


async def test_the_self_test_sees_strength_zero_that_is_felt(
    corner: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Slow, "rule", lambda _: rule.slow(0.1))
    trial = await tried("slow", tmp_path)
    assert trial.verdict is Verdict.BROKEN
    assert trial.reason == "strength 0 makes reads slower"


async def test_the_self_test_sees_a_fault_that_does_not_heal(
    corner: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def forgets(_: Pause) -> None:
        """It stays frozen."""

    monkeypatch.setattr(Pause, "undo", forgets)
    monkeypatch.setattr("lab.selftest.trial.WELL_WITHIN", 3.0)
    trial = await tried("pause", tmp_path)
    assert trial.verdict is Verdict.BROKEN
    assert trial.reason == "healing did not heal"
