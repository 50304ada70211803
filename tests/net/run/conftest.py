"""Whole runs of the lab, as a user starts them: the command line, real processes, a folder of results."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

#: Small and quick, and the same on every machine; each test adds what it is about.
QUICK = ("--fast", "--no-input", "--shoppers", "90", "--seed", "11")


@dataclass(frozen=True)
class Finished:
    """A run that ended: its exit code, what it printed, and the folder that it left."""

    code: int
    stdout: str
    stderr: str
    runs: Path

    @property
    def folder(self) -> Path:
        return (self.runs / "latest").resolve()

    @property
    def results(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "results.json").read_text())
        return found

    @property
    def history(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "history.jsonl").read_text().splitlines()]

    def ledger(self, arm: str) -> dict[str, Any]:
        ledger: dict[str, Any] = self.results["arms"][arm]["ledger"]
        return ledger


Runs = Callable[..., Finished]


def cartlab(*words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """``cartlab WORDS`` to its end; ``settings`` are added to the environment."""
    return subprocess.run(
        [sys.executable, "-m", "lab", *words],
        capture_output=True,
        text=True,
        env={**os.environ, **settings},
        timeout=100,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def finished(runs: Path, *words: str, **settings: str) -> Finished:
    done = cartlab("run", *words, "--runs", str(runs), **settings)
    return Finished(done.returncode, done.stdout, done.stderr, runs)


@pytest.fixture(name="run")
def _run(tmp_path: Path) -> Runs:
    """Start ``cartlab run WORDS`` in a folder of its own and wait for its end."""
    return lambda *words, **settings: finished(tmp_path / "runs", *words, **settings)


@pytest.fixture(scope="module")
def runs_once(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """The same, for one run that several tests of a module look at."""
    return lambda *words, **settings: finished(tmp_path_factory.mktemp("runs"), *words, **settings)


@pytest.fixture(name="cartlab")
def _cartlab() -> Callable[..., subprocess.CompletedProcess[str]]:
    return cartlab


@pytest.fixture(scope="session", params=["path", "embedded"])
def side_by_side(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """The main job, once with the machine's own store and once with the embedded one."""
    runs = tmp_path_factory.mktemp(request.param)
    done = finished(runs, "crash", *QUICK, "--plain", CARTLAB_STORE=request.param)
    if request.param == "path" and done.code == 4 and "redis-server" in done.stderr:
        pytest.skip("no redis-server or valkey-server on PATH: the embedded store is tested instead")
    return done


@pytest.fixture(scope="session")
def three(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """One crash for three arms that no name stands for: two rounds."""
    arms = "memory/cookie,stateless/learn,memory/hash"
    runs = tmp_path_factory.mktemp("three")
    return finished(runs, "crash", *QUICK, "--shoppers", "60", "--arms", arms)
