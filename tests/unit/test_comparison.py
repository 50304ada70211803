"""The trade-off table and the ledger of claims: nothing is invented, and what is missing says so."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from lab import comparison, sayings
from lab.arms import read_arms
from lab.claims import CLAIMS
from lab.cli import cli
from lab.report.results import ArmResult, Topology
from lab.scenarios import SCENARIOS

if TYPE_CHECKING:
    from pathlib import Path

LEDGER: dict[str, Any] = {
    "carts": {"kept": 60, "lost": 30},
    "pieces": {"acknowledged": 500, "lost": 450, "duplicated": 1},
    "errors": {"seen": 7},
    "writes": {"n": 500, "p50": 0.0021, "p99": 0.0083},
    "reads": {"n": 0, "p50": None, "p99": None},
    "recovery": 1.234,
    "servers": {"server-1": {"sent": 600}, "server-2": {"sent": 400}, "server-3": {}, "store": {"keys": 9}},
}
STORE = {"messages": 1_000, "bytes_in": 300_000, "bytes_out": 200_000, "memory": 90_000}
ARM = ArmResult(
    topology=Topology("stateless", "none", "roundrobin", ("server-1",), "redis 7", "", "rebalance"),
    promises=None, expected="kept", verdict="held", reason="", sentence="", ledger=LEDGER, store=STORE,
    costs=None,
)  # fmt: skip
RUNS = dict.fromkeys(comparison.STANDARD, ARM)


def cell(name: str, runs: dict[str, ArmResult]) -> str:
    (row,) = (row for row in comparison.rows() if row.name == name)
    return row.of(runs)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("carts lost, server crash", "30 of 90"),
        ("acknowledged but lost, 20 tabs", "450 of 500"),
        ("pieces duplicated, all runs", "5"),
        ("server messages a write", "2.0"),
        ("errors seen in the crash", "7"),
        ("write p50 / p99 ms", "2.1 / 8.3"),
        ("read p50 / p99 ms", "-"),
        ("store messages a write", "2.0"),
        ("store bytes a write", "1,000"),
        ("store memory a session, bytes", "1,000"),
        ("last error after the crash, s", "1.23"),
        ("must be operated", "store"),
    ],
)
def test_every_cell_is_a_figure_of_a_run(name: str, says: str) -> None:
    assert cell(name, RUNS) == says


def test_what_no_run_measured_is_a_dash_and_never_a_nought() -> None:
    silent = dict.fromkeys(comparison.STANDARD, replace(ARM, ledger=None, store=None))
    cells = {row.name: row.of(silent) for row in comparison.rows()}
    assert {text for name, text in cells.items() if name not in ("must be operated", "pieces duplicated, all runs")} == {"-"}  # fmt: skip  # noqa: E501 - one thought


def test_a_claim_is_shown_by_a_command_that_exists_or_says_that_it_is_not_shown() -> None:
    for claim in sayings.everything():
        words = (sayings.shown_by(claim) or "").split()
        assert not words or words[0] in cli.commands
        if words[:1] == ["run"]:
            assert words[1] in SCENARIOS
    assert sayings.shown_by("C38") is None
    assert set(CLAIMS) <= set(sayings.everything())
    assert len(sayings.SAYINGS) == 40


def test_claims_show_the_newest_figure_and_pass_over_what_cannot_be_read(tmp_path: Path) -> None:
    for day, figure in (("01", "old"), ("02", "new")):
        folder = tmp_path / "crash" / f"2026-01-{day}"
        folder.mkdir(parents=True)
        claim = {"id": "C01", "arm": "sticky", "said": "s", "measured": figure, "verdict": "held"}
        record = {"started": f"2026-01-{day}T00:00:00Z", "claims": [claim]}
        (folder / "results.json").write_text(json.dumps(record))
    torn = tmp_path / "crash" / "torn"
    torn.mkdir()
    (torn / "results.json").write_text("{")
    told = CliRunner().invoke(cli, ["claims", "--json", "--runs", str(tmp_path)])
    entries = {entry["id"]: entry for entry in json.loads(told.output)["claims"]}
    assert [figure["measured"] for figure in entries["C01"]["measured"]] == ["new"]
    assert (entries["C02"]["state"], entries["C38"]["state"]) == ("not run here yet", "not shown yet")


@pytest.mark.parametrize("claim", CLAIMS)
def test_the_command_of_a_claim_runs_an_arm_that_it_speaks_about(claim: str) -> None:
    words = (sayings.shown_by(claim) or "").split()
    assert words[0] == "run"
    arms = words[words.index("--arms") + 1] if "--arms" in words else ",".join(SCENARIOS[words[1]].arms)
    assert {arm.strategy for arm in read_arms(arms)} & CLAIMS[claim].strategies
