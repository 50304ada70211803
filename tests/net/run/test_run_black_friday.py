"""Black Friday in small, from end to end: shopper processes, one arm after the other, what it cost."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import psutil
import pytest

from lab.history import Kind, Operation
from lab.oracle import judge_carts
from lab.packing import unpack
from lab.report.recording import events_of
from lab.timeline import OperationEnded, Tallied

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.net.run.conftest import Finished, Runs

pytestmark = [pytest.mark.slow, pytest.mark.timeout(150)]
SHOPPERS = 600
WORDS = ("run", "black-friday", "--fast", "--no-input", "--plain", "--seed", "5", "--shoppers", str(SHOPPERS))


@pytest.fixture(scope="module")
def friday(runs_once: Runs) -> Finished:
    return runs_once(*WORDS[1:])


def test_a_third_is_lost_where_carts_are_in_memory_and_nothing_where_they_are_in_a_store(
    friday: Finished,
) -> None:
    assert friday.code == 0, friday.stdout + friday.stderr
    sticky, stateless = friday.ledger("sticky"), friday.ledger("stateless")
    assert sticky["carts"]["lost"] == sticky["homes"]["server-3"]["lost"] == sticky["at_risk"]
    assert SHOPPERS / 4 < sticky["at_risk"] < SHOPPERS / 2
    assert sticky["carts"]["kept"] + sticky["carts"]["lost"] == SHOPPERS
    assert stateless["carts"]["kept"] == SHOPPERS
    assert stateless["errors"]["seen"] == 0
    assert stateless["items"]["kept"] == sum(stateless["items"].values())


def test_server_3_dies_in_the_middle_of_the_traffic_of_each_arm(friday: Finished) -> None:
    faults = {fault["arm"]: fault for fault in friday.results["faults"]}
    assert {fault["target"] for fault in faults.values()} == {"server-3"}
    for arm, fault in faults.items():
        adds = [row for cart in carts(friday, arm) for row in cart if row.kind is Kind.ADD]
        assert any(add.invoked < fault["begin"] for add in adds)
        assert sum(add.invoked > fault["begin"] for add in adds) >= SHOPPERS


def test_a_reader_of_the_history_can_check_every_verdict(friday: Finished) -> None:
    for arm in ("sticky", "stateless"):
        told = friday.ledger(arm)
        judged = judge_carts(arm, carts(friday, arm))
        assert {str(status): n for status, n in judged.counts.items()} == told["carts"]
        assert judged.latency.n == told["latency"]["n"] == 3 * SHOPPERS
    assert {path.name for path in friday.folder.iterdir()} == {
        "history.jsonl", "timeline.jsonl", "results.json", "summary.md", "junit.xml", "log",
    }  # fmt: skip


def test_both_arms_are_asked_for_the_same(friday: Finished) -> None:
    asked = {
        arm: sorted(
            (add.shopper, add.key or "", add.item or "")
            for cart in carts(friday, arm)
            for add in cart
            if add.kind is Kind.ADD
        )
        for arm in ("sticky", "stateless")
    }
    assert asked["sticky"] == asked["stateless"]
    assert len(asked["sticky"]) == 3 * SHOPPERS


def test_what_it_cost_is_printed_and_written_down_by_program(friday: Finished) -> None:
    for arm, programs in (("sticky", set[str]()), ("stateless", {"store"})):
        costs = friday.results["arms"][arm]["costs"]
        assert set(costs["cpu"]) == {"servers", "balancer", "shoppers", "driver"} | programs
        assert costs["requests"] >= 4 * SHOPPERS
        assert 0 < sum(costs["cpu"].values()) <= (os.cpu_count() or 1) * costs["seconds"] + 1
        assert costs["memory"] == sum(costs["shares"].values()) > 50e6
        assert re.search(rf"{arm} +cost +[\d.]+ s of CPU in [\d.]+ s", friday.stdout)
    assert "CPU seconds" in (friday.folder / "summary.md").read_text()


def test_progress_and_time_left_are_told_meanwhile(friday: Finished) -> None:
    assert re.search(r"progress +\d+ %", friday.stdout)
    events = events_of(friday.folder)
    tallies = [event for event in events if isinstance(event, Tallied) and event.arm == "stateless"]
    assert [tally.requests for tally in tallies] == sorted(tally.requests for tally in tallies)
    assert tallies[-1].requests >= tallies[-1].planned == 4 * SHOPPERS
    assert not any(isinstance(event, OperationEnded) for event in events)


def test_no_shopper_process_outlives_a_killed_driver(tmp_path: Path, wait_until: Callable[..., None]) -> None:
    words = [*WORDS[:-1], "20000", "--runs", str(tmp_path), "--arms", "sticky"]
    with subprocess.Popen(
        [sys.executable, "-m", "lab", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as driver:
        lab = psutil.Process(driver.pid)
        wait_until(lambda: is_shopping(lab), "the shoppers to shop", 60)
        family = lab.children(recursive=True)
        driver.send_signal(signal.SIGKILL)
    wait_until(lambda: not any(child.is_running() for child in family), "everybody to be gone")


def test_a_run_that_is_interrupted_leaves_the_history_so_far(tmp_path: Path) -> None:
    words = [*WORDS[:-1], "20000", "--runs", str(tmp_path), "--arms", "sticky"]
    with subprocess.Popen(
        [sys.executable, "-m", "lab", *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as driver:
        assert driver.stdout
        for line in driver.stdout:
            if re.search(r"progress +[1-9]\d* %", line):
                break
        driver.send_signal(signal.SIGINT)
        driver.stdout.read()
    assert driver.returncode == 130
    folder = (tmp_path / "latest").resolve()
    history = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    assert len(history) > 100
    ends = {row[-1] for cart in history for row in cart["ops"] if row[4] == "info"}
    assert ends == {"the run was ended while this request was under way"}


def carts(run: Finished, arm: str) -> list[list[Operation]]:
    return [unpack(line) for line in run.history if line["arm"] == arm]


def is_shopping(lab: psutil.Process) -> bool:
    """Whether shoppers have used more CPU than it takes to start."""
    try:
        shoppers = [
            child for child in lab.children(recursive=True) if "lab.workload.throng" in child.cmdline()
        ]
        return any(child.cpu_times().user > 1 for child in shoppers)
    except psutil.NoSuchProcess:
        return False
