"""A soak finds nothing where promises are kept, tells the story where one is not, and does it again."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.net.conftest import Corner

    Wait = Callable[..., None]
    Cartlab = Callable[..., subprocess.CompletedProcess[str]]

SHORT = ("--minutes", "0.08", "--seed", "3", "--shoppers", "60")


@pytest.mark.slow
@pytest.mark.timeout(100)
def test_a_few_seconds_of_everything_that_can_be_broken_break_no_promise_of_stateless(
    cartlab: Cartlab, tmp_path: Path
) -> None:
    done = cartlab("soak", *SHORT, "--runs", str(tmp_path), "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["verdict"] == "held"
    assert sum(found["figures"]["faults"].values()) > 0
    assert found["figures"]["pieces"]["acknowledged"] > 0
    assert found["figures"]["keys_without_ttl"] == 0
    assert "survives_store_loss" in found["not_promised"]
    folder = (tmp_path / "latest").resolve()
    assert json.loads((folder / "soak.json").read_text()) == found
    operations = (folder / "history.jsonl").read_text().splitlines()
    assert len(operations) == found["figures"]["requests"]


@pytest.mark.slow
@pytest.mark.timeout(100)
def test_a_broken_promise_is_told_as_a_story_and_its_line_does_it_again(
    cartlab: Cartlab, tmp_path: Path
) -> None:
    promise = "concurrent_adds"
    words = ("--arm", "naive_blob", "--faults", "none", "--hold-to", promise)
    done = cartlab("soak", *SHORT, *words, "--runs", str(tmp_path), "--json")
    assert done.returncode == 1, done.stdout + done.stderr
    found = json.loads(done.stdout)
    broken = found["broken"]
    assert broken["promise"] == promise
    assert broken["found"] < broken["promised"]
    adds = [line for line in found["story"] if f"adds 1 {broken['item']}" in line]
    assert len(adds) >= broken["promised"], found["story"]
    assert found["story"][-1].startswith(f"Broken promise {promise}")

    *_, again = found["replay"].partition(" soak ")
    replayed = cartlab("soak", *shlex.split(again), "--runs", str(tmp_path), "--json")
    assert replayed.returncode == 1, replayed.stdout + replayed.stderr
    assert json.loads(replayed.stdout)["broken"]["promise"] == promise
    assert _asked(found) == _asked(json.loads(replayed.stdout))


def _asked(found: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Who asked for what, without when and what came."""
    lines = [json.loads(line) for line in (Path(found["folder"]) / "history.jsonl").read_text().splitlines()]
    adds = [line for line in lines if line["kind"] == "add"]
    return sorted((line["shopper"], line["key"], line["item"]) for line in adds)


@pytest.mark.slow
@pytest.mark.timeout(100)
def test_what_was_not_promised_is_a_price_and_named(cartlab: Cartlab, tmp_path: Path) -> None:
    words = ("--faults", "store-kill", "--no-store-log", "--plain")
    done = cartlab("soak", *SHORT, *words, "--runs", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    facts = dict(line.split("\t", 1) for line in done.stdout.splitlines())
    assert facts["verdict"] == "held"
    assert int(facts["figures.announced_losses.survives_store_loss"]) > 0
    assert int(facts["figures.pieces.lost"]) > 0


@pytest.mark.slow
@pytest.mark.timeout(100)
def test_an_interrupted_soak_heals_first_and_leaves_nothing(corner: Corner, wait_until: Wait) -> None:
    words = ("soak", "--faults", "restart,pause,store-kill", *SHORT, "--minutes", "5", "--runs", "runs")
    log = corner.home / "said.txt"
    with log.open("w") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "lab", *words],
            cwd=corner.home,
            env=corner.environment,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
        )
        try:
            wait_until(lambda: " 2 faults" in log.read_text() or process.poll() is not None, "two faults", 60)
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 130, log.read_text()
        finally:
            process.kill()
            process.wait()
    assert "Traceback" not in log.read_text()
    assert not corner.left_over()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--arm", "memory,stateless"), "one arm was expected"),
        (("--faults", "kil"), "Did you mean 'kill'?"),
        (("--arm", "memory", "--faults", "store-kill"), "store"),
        (("--hold-to", "concurent_adds"), "Did you mean 'concurrent_adds'?"),
        (("--trials", "5", "--faults", "none"), "nothing to count"),
    ],
)
def test_a_soak_that_makes_no_sense_is_refused_before_anything_starts(
    cartlab: Cartlab, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    done = cartlab("soak", *words, "--runs", str(tmp_path))
    assert done.returncode == 2
    assert said in done.stderr
    assert not list(tmp_path.iterdir())
