"""The main job from end to end: the two stories, told by real processes, as CI would tell them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

if TYPE_CHECKING:
    from tests.net.run.conftest import Finished, Runs

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]
QUICK = ("--fast", "--no-input", "--shoppers", "90", "--seed", "11")


def test_sticky_loses_the_carts_of_the_dead_server_and_no_other(side_by_side: Finished) -> None:
    assert side_by_side.code == 0, side_by_side.stdout + side_by_side.stderr
    ledger = side_by_side.ledger("sticky")
    victim = side_by_side.results["faults"][0]["target"]
    assert ledger["carts"]["lost"] == ledger["homes"][victim]["carts"] == ledger["at_risk"] > 0
    assert all(home["lost"] == 0 for server, home in ledger["homes"].items() if server != victim)


def test_stateless_keeps_every_cart_and_no_shopper_sees_an_error(side_by_side: Finished) -> None:
    ledger = side_by_side.ledger("stateless")
    assert ledger["carts"]["kept"] == 90
    assert ledger["errors"]["seen"] == 0
    assert ledger["operations"]["info"] == 0


def test_the_same_server_dies_in_both_arms_and_comes_back(side_by_side: Finished) -> None:
    sticky, stateless = side_by_side.results["faults"]
    assert {sticky["arm"], stateless["arm"]} == {"sticky", "stateless"}
    assert sticky["target"] == stateless["target"]
    assert abs(sticky["begin"] - stateless["begin"]) < 0.5
    assert sticky["end"]
    assert stateless["end"]


def test_both_arms_are_asked_the_same_by_the_same_shoppers(side_by_side: Finished) -> None:
    asked = {
        arm: sorted(
            (op["shopper"], op["kind"], op["item"] or "", op["quantity"], op["key"] or "")
            for op in side_by_side.history
            if op["arm"] == arm and op["kind"] != "final-read"
        )
        for arm in ("sticky", "stateless")
    }
    assert asked["sticky"] == asked["stateless"]
    assert len(asked["sticky"]) > 90 * 3


def test_the_history_carries_times_servers_and_outcomes(side_by_side: Finished) -> None:
    for op in side_by_side.history:
        assert op["intended"] <= op["invoked"] + 0.001
        assert op["outcome"] in ("ok", "fail", "info")
        if op["outcome"] == "ok":
            assert op["completed"] >= op["invoked"]
            assert op["server"].startswith("server-")


def test_a_run_leaves_a_whole_folder(side_by_side: Finished) -> None:
    folder = side_by_side.folder
    assert {"results.json", "history.jsonl", "junit.xml", "summary.md", "log"} <= {
        p.name for p in folder.iterdir()
    }
    logs = {path.name for path in (folder / "log").iterdir()}
    assert {"sticky-lb.log", "sticky-server-1.log", "stateless-server-3.log", "stateless-store.log"} <= logs
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ", folder.name)
    results = side_by_side.results
    assert results["schema"] == 1
    assert results["seed"] == 11
    assert "--seed 11" in results["repeat"]
    assert results["versions"]["store"] != "none"


def test_the_junit_file_has_a_case_for_each_claim_and_none_fails(side_by_side: Finished) -> None:
    cases = ET.parse(side_by_side.folder / "junit.xml").getroot().findall(".//testcase")  # noqa: S314 - ours
    names = " ".join(case.get("name") or "" for case in cases)
    assert all(claim["id"] in names for claim in side_by_side.results["claims"])
    assert [case.get("name") for case in cases if case.find("failure") is not None] == []


def test_no_secret_stands_in_what_a_run_leaves(side_by_side: Finished) -> None:
    for path in side_by_side.folder.rglob("*"):
        if path.is_file() and path.suffix in {".log", ".json", ".jsonl", ".md", ".xml"}:
            text = path.read_text(errors="replace")
            assert "CART_SECRET" not in text, path
            assert "cart_sid=" not in text, path


def test_the_plain_screen_tells_both_verdicts(side_by_side: Finished) -> None:
    assert re.search(r"sticky: \d+ of 90 carts lost with server-\d; 0 of the other \d+", side_by_side.stdout)
    assert "stateless: 90 of 90 kept" in side_by_side.stdout
    assert "\x1b[" not in side_by_side.stdout


def test_expecting_the_opposite_turns_the_run_red(run: Runs) -> None:
    done = run("crash", *QUICK, "--expect", "sticky=kept,stateless=lost", "--json")
    assert done.code == 1
    assert {arm["verdict"] for arm in done.results["arms"].values()} == {"broken"}


def test_a_crash_by_the_endpoint_tells_the_same_story(run: Runs) -> None:
    done = run("crash", *QUICK, "--fault", "endpoint", "--crash", "server-2")
    assert done.code == 0, done.stdout + done.stderr
    assert {fault["target"] for fault in done.results["faults"]} == {"server-2"}
    assert {claim["id"] for claim in done.results["claims"]} >= {"C10"}
    assert done.ledger("stateless")["errors"]["seen"] == 0


@pytest.mark.parametrize("fault", ["stop", "restart", "pause"])
def test_to_a_sticky_shopper_it_is_all_the_same_how_their_server_went(run: Runs, fault: str) -> None:
    """A paused server even has the cart still; but nobody is sent there any more."""
    done = run("crash", *QUICK, "--fault", fault)
    assert done.code == 0, done.stdout + done.stderr
    assert done.ledger("sticky")["carts"]["lost"] > 0
    assert done.ledger("stateless")["carts"]["lost"] == 0
    assert {found["fault"] for found in done.results["faults"]} == {fault}
    assert all(found["end"] for found in done.results["faults"])


def test_without_a_fault_neither_design_loses_anything(run: Runs) -> None:
    done = run("calm", *QUICK)
    assert done.code == 0, done.stdout + done.stderr
    assert done.ledger("sticky")["carts"]["kept"] == done.ledger("stateless")["carts"]["kept"] == 90


def test_a_request_without_a_key_may_stay_unanswered_and_is_then_info_not_lost(run: Runs) -> None:
    done = run("crash", *QUICK, "--arms", "stateless", "--keyless", "100%", "--shoppers", "300")
    assert done.code == 0, done.stdout + done.stderr
    ledger = done.ledger("stateless")
    assert all(op["key"] is None for op in done.history)
    assert ledger["carts"]["lost"] == ledger["carts"]["duplicated"] == ledger["carts"]["unexpected"] == 0
    errors = [op for op in done.history if op["kind"] == "add" and op["outcome"] != "ok"]
    assert all(op["outcome"] == "info" and op["status"] == 502 for op in errors), errors
    assert ledger["errors"]["keyless"] == ledger["operations"]["info"] == len(errors)
    assert f"{len(errors)} error" in done.stdout


def test_half_of_the_servers_can_die_and_only_their_carts_do(run: Runs) -> None:
    done = run("crash", *QUICK, "--arms", "sticky", "--crash", "50%", "--servers", "4")
    assert done.code == 0, done.stdout + done.stderr
    victims = {fault["target"] for fault in done.results["faults"]}
    assert len(victims) == 2
    lost_on = {server for server, home in done.ledger("sticky")["homes"].items() if home["lost"]}
    assert lost_on == victims


def test_the_same_seed_gives_the_same_shopping(run: Runs) -> None:
    def shopping() -> list[tuple[object, ...]]:
        done = run("calm", *QUICK, "--arms", "sticky", "--shoppers", "30")
        assert done.code == 0, done.stderr
        return sorted(
            (op["shopper"], op["item"] or "", op["quantity"], op["key"] or "") for op in done.history
        )

    assert shopping() == shopping()
