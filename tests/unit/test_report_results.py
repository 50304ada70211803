"""What a run leaves behind, made by the real oracle out of a history written by hand.

``CARTLAB_REWRITE_GOLDEN=1 pytest tests/unit/test_report_results.py`` draws the schema anew.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import junitparser
import pytest
from pydantic import TypeAdapter

from lab.history import History, Kind, Operation, Outcome
from lab.judging import find, pledge_of
from lab.promises import NAMES, Promises
from lab.report import files
from lab.report.folder import RunFolder
from lab.report.junit import junit
from lab.report.recording import events_of
from lab.report.results import Results, results_of, store_of
from lab.report.summary import LIMIT, summary
from lab.report.versions import versions
from lab.scenarios import SCENARIOS
from lab.settings import RunSettings
from lab.targets import Target
from lab.timeline import (
    ActBegan,
    ArmReady,
    FaultBegan,
    FaultHealed,
    Judged,
    OperationEnded,
    RunBegan,
    RunEnded,
    Sampled,
    ServerChanged,
    ServerSample,
    Timeline,
)
from lab.topology import stateless_arm, sticky_arm

if TYPE_CHECKING:
    from lab.timeline import Event

SCHEMA = Path(__file__).parents[2] / "docs" / "results.schema.json"
STARTED = datetime(2026, 3, 1, 12, 30, 5, tzinfo=UTC)
SETTINGS = RunSettings(
    scenario=SCENARIOS["crash"],
    arms=(sticky_arm(), stateless_arm()),
    shoppers=2,
    seed=7,
    target=Target("biggest"),
    fault="kill",
    keyless=0,
    fast=True,
    expect={"sticky": "lost", "stateless": "kept"},
    runs=Path("runs"),
    redis_url=None,
)
PROMISES = Promises(**dict.fromkeys(NAMES, True), bounded_loss=0)
PLEDGES = {arm.name: pledge_of(SETTINGS, arm, PROMISES) for arm in SETTINGS.arms}
EVENTS: list[Event] = [
    RunBegan(0.0, "crash", "t", "q", 7, 2, ("sticky", "stateless"), ("shop", "judge")),
    ArmReady(0.5, "stateless", "stateless", "none", "roundrobin", "h:1", ("server-1",), "redis 7.0.15"),
    ActBegan(1.0, "shop", "They shop."),
    Sampled(1.5, "sticky", (ServerSample("server-1", 1, 2.0, 3),), 1.0),
    FaultBegan(2.0, "sticky", "kill", "server-2"),
    FaultBegan(2.0, "stateless", "kill", "server-2"),
    ServerChanged(2.1, "sticky", "server-2", "down", "refused"),
    FaultHealed(3.0, "sticky", "kill", "server-2"),
    ActBegan(4.0, "judge", "They are judged."),
    Judged(4.5, "sticky", "held", "s", {"kept": 1}, "lost"),
    RunEnded(5.0, "held", 0, "r", "runs/crash/now"),
]


def operation(arm: str, shopper: int, kind: Kind, at: float, cart: dict[str, int], server: str) -> Operation:
    item, quantity = ("mug", 1) if kind is Kind.ADD else (None, 0)
    return Operation(
        arm=arm, shopper=shopper, kind=kind, intended=at, invoked=at, completed=at + 0.01, outcome=Outcome.OK,
        item=item, quantity=quantity, status=200, server=server, origin="local", cart=cart,
    )  # fmt: skip


def history(*, is_lost: bool = True) -> History:
    """Two shoppers an arm; the sticky one on server-2 comes back to an empty cart."""
    operations = []
    for arm in ("sticky", "stateless"):
        for shopper, server in ((1, "server-1"), (2, "server-2")):
            gone = is_lost and arm == "sticky" and server == "server-2"
            operations += [
                operation(arm, shopper, Kind.ADD, 1.1, {"mug": 1}, server),
                operation(arm, shopper, Kind.FINAL_READ, 4.1, {} if gone else {"mug": 1}, "server-1"),
            ]
    return History(operations)


def results(*, is_lost: bool = True) -> Results:
    timeline = Timeline(list(EVENTS))
    findings = find(SETTINGS, history(is_lost=is_lost), timeline.fault_intervals(), PLEDGES)
    return results_of(
        SETTINGS,
        timeline,
        findings,
        started=STARTED,
        ended=5.25,
        exit_code=findings.verdict.exit_code,
        versions=versions(store_of(timeline)),
        pledges=PLEDGES,
        store_use={},
    )


def results_without_verdict() -> Results:
    return results_of(
        SETTINGS, Timeline(EVENTS[:4]), None,
        started=STARTED, ended=1.6, exit_code=130, versions=versions(), problem="interrupted by the user",
        pledges={},
        store_use={},
    )  # fmt: skip


def test_results_name_everything_that_decides_what_a_run_was() -> None:
    record = results().to_record()
    assert list(record) == [
        "schema", "scenario", "title", "question", "started", "seconds", "seed", "shoppers", "fault", "crash",
        "keyless", "verdict", "exit_code", "problem", "take_away", "lesson", "prediction", "arms", "claims",
        "faults", "acts", "versions", "repeat",
    ]  # fmt: skip
    assert record["started"] == "2026-03-01T12:30:05Z"
    assert (record["verdict"], record["exit_code"], record["problem"]) == ("held", 0, None)
    assert record["repeat"] == SETTINGS.repeat_command
    assert {"python", "cartlab", "fastapi", "uvicorn", "redis-py", "store", "os"} <= set(record["versions"])
    assert record["versions"]["store"] == "redis 7.0.15"


def test_each_arm_has_its_topology_its_expectation_its_verdict_and_its_ledger() -> None:
    arm = results().to_record()["arms"]["sticky"]
    assert " ".join(arm) == "topology promises expected verdict reason sentence ledger store costs"
    assert arm["topology"] == {
        "strategy": "memory", "sticky": "learn", "balance": "roundrobin",
        "servers": ["server-1", "server-2", "server-3"], "store": None, "option": "", "failover": "rebalance",
    }  # fmt: skip
    assert (arm["expected"], arm["verdict"]) == ("lost", "held")
    assert (arm["ledger"]["carts"]["lost"], arm["ledger"]["carts"]["kept"]) == (1, 1)
    assert arm["ledger"]["latency"]["n"] == 2


def test_a_fault_that_was_not_healed_has_no_end_and_acts_end_where_the_next_begins() -> None:
    record = results().to_record()
    assert [(fault["arm"], fault["end"]) for fault in record["faults"]] == [
        ("sticky", 3.0),
        ("stateless", None),
    ]
    assert record["acts"] == [
        {"act": "shop", "began": 1.0, "seconds": 3.0},
        {"act": "judge", "began": 4.0, "seconds": 1.0},
    ]


def test_a_run_that_was_never_judged_says_why_and_claims_nothing() -> None:
    record = results_without_verdict().to_record()
    assert (record["verdict"], record["problem"]) == ("no verdict", "interrupted by the user")
    assert record["arms"]["sticky"]["ledger"] is None
    assert record["claims"] == []


@pytest.mark.parametrize("made", [results, results_without_verdict])
def test_results_are_what_the_published_schema_says(made: Any) -> None:
    adapter = TypeAdapter(Results)
    adapter.validate_json(files.as_json(made()))
    drawn = json.dumps(adapter.json_schema(), indent=2, ensure_ascii=False) + "\n"
    if os.environ.get("CARTLAB_REWRITE_GOLDEN"):
        SCHEMA.write_text(drawn, encoding="utf-8")
    assert SCHEMA.read_text(encoding="utf-8") == drawn


def cases(xml: str) -> dict[str, junitparser.TestCase]:
    root = junitparser.JUnitXml.fromstring(xml.encode())
    return {case.name: case for suite in root for case in suite}


def test_junit_has_a_case_for_every_expectation_and_every_claim() -> None:
    found = results()
    named = cases(junit(found))
    assert len(named) == len(found.arms) + len(found.claims)
    assert named["sticky: carts lost"].is_passed


@pytest.mark.parametrize(
    ("verdict", "kind"),
    [
        ("held", None),
        ("broken", junitparser.Failure),
        ("cannot tell", junitparser.Skipped),
        (None, junitparser.Error),
    ],
)
def test_junit_calls_each_verdict_by_its_own_name(verdict: str | None, kind: type[Any] | None) -> None:
    found = results()
    arms = {**found.arms, "sticky": replace(found.arms["sticky"], verdict=verdict, reason="why & <how>\x07")}
    result = cases(junit(replace(found, arms=arms)))["sticky: carts lost"].result
    assert [type(entry) for entry in result] == ([] if kind is None else [kind])
    assert all(entry.message == "why & <how> " for entry in result)


def test_junit_of_a_run_that_was_never_judged_has_errors_and_no_failures() -> None:
    root = junitparser.JUnitXml.fromstring(junit(results_without_verdict()).encode())
    assert (root.tests, root.errors, root.failures) == (2, 2, 0)


def test_the_summary_has_a_row_an_arm_the_lesson_and_the_command_that_repeats_it() -> None:
    page = summary(results())
    assert "| sticky | lost | 1 | 1 | 0 | 0 |" in page
    assert "✔ as expected" in page.splitlines()[0]
    assert SETTINGS.scenario.lesson in page
    assert SETTINGS.repeat_command in page
    assert "| stateless | kill server-2 | 2.00 s | not healed |" in page


def test_a_run_that_was_not_as_expected_says_so_in_its_first_line() -> None:
    assert "✘ not as expected" in summary(results(is_lost=False)).splitlines()[0]


def test_the_summary_of_a_run_without_verdict_tells_the_problem() -> None:
    assert "**interrupted by the user**" in summary(results_without_verdict())


def test_what_others_wrote_is_neither_markup_nor_a_second_cell_of_the_summary() -> None:
    found = results()
    nasty = replace(found.claims[0], measured="a|b <script> [x](y) `z` *w*\n| new row |")
    page = summary(replace(found, claims=(nasty,)))
    row = next(line for line in page.splitlines() if "script" in line)
    assert row.count(" | ") == 4
    assert r"a\|b \<script\> \[x\](y) \`z\` \*w\* \| new row \|" in row


def test_the_summary_stays_below_what_ci_systems_take() -> None:
    found = results()
    many = tuple(replace(found.claims[0], measured="ä" * 300) for _ in range(500))
    page = summary(replace(found, claims=many))
    assert len(page.encode()) <= LIMIT < 64_000
    assert "results.json" in page[-100:]


def test_a_folder_holds_the_evidence_and_can_be_played_again(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "crash", STARTED)
    files.write(folder, results(), history(), Timeline(list(EVENTS)))
    names = {path.name for path in folder.path.iterdir()}
    assert names == {"history.jsonl", "timeline.jsonl", "junit.xml", "summary.md", "results.json", "log"}
    assert json.loads((folder.path / "results.json").read_text()) == results().to_record()
    played = events_of(tmp_path / "latest")
    assert [event for event in played if not isinstance(event, OperationEnded)] == EVENTS
    operations = [event.operation for event in played if isinstance(event, OperationEnded)]
    assert sorted(operations, key=repr) == sorted(history().operations, key=repr)
    assert [event.at for event in played] == sorted(event.at for event in played)
