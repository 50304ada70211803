"""Every scenario but the crash, from end to end on real processes, small and quick."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.net.run.conftest import Finished, Runs

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]
QUICK = ("--fast", "--no-input", "--seed", "11")


def verdicts(done: Finished) -> dict[str, tuple[str, str]]:
    assert done.code == 0, done.stdout + done.stderr
    return {name: (arm["expected"], arm["verdict"]) for name, arm in done.results["arms"].items()}


def test_two_tabs_lose_updates_where_a_cart_is_read_changed_and_written(run: Runs) -> None:
    done = run("two-tabs", *QUICK)
    assert verdicts(done) == {"naive_blob": ("lost", "held"), "stateless": ("kept", "held")}
    pieces = done.ledger("stateless")["pieces"]
    assert pieces.pop("acknowledged") == 500
    assert set(pieces.values()) == {0}
    naive = done.ledger("naive_blob")["pieces"]
    assert naive["acknowledged"] > 400
    assert naive["lost"] > 100, naive


def test_a_store_with_a_log_costs_errors_and_no_cart(run: Runs) -> None:
    done = run("store-down", *QUICK, "--shoppers", "60")
    assert verdicts(done) == {"sticky": ("kept", "held"), "stateless": ("kept", "held")}
    assert [(fault["arm"], fault["target"]) for fault in done.results["faults"]] == [("stateless", "store")]
    assert done.ledger("sticky")["errors"]["seen"] == 0
    assert done.ledger("stateless")["errors"]["seen"] > 0
    assert {op["status"] for op in done.history if op["outcome"] != "ok"} == {503}


def test_a_store_without_a_log_forgets_every_cart_of_before(run: Runs) -> None:
    done = run("store-amnesia", *QUICK, "--shoppers", "60")
    assert verdicts(done) == {"sticky": ("kept", "held"), "stateless": ("lost", "held")}
    assert done.ledger("stateless")["carts"]["lost"] == done.ledger("stateless")["at_risk"] == 60


def test_idle_carts_expire_and_busy_ones_do_not(run: Runs) -> None:
    done = run("expiry", *QUICK, "--shoppers", "20")
    assert verdicts(done) == {"sticky": ("expired", "held"), "stateless": ("expired", "held")}
    for arm in ("sticky", "stateless"):
        assert done.ledger(arm)["carts"]["lost"] == done.ledger(arm)["carts"]["kept"] == 10
    assert {(claim["id"], claim["verdict"]) for claim in done.results["claims"]} == {("C07", "held")}


def test_going_home_to_a_server_that_forgot_loses_the_cart_a_second_time(run: Runs) -> None:
    done = run("fail-back", *QUICK, "--shoppers", "90")
    assert verdicts(done) == {"memory/cookie/open": ("lost", "held"), "stateless": ("kept", "held")}
    fault = next(fault for fault in done.results["faults"] if fault["arm"] == "memory/cookie/open")
    shown: dict[int, list[tuple[str, int]]] = {}
    for op in done.history:
        if op["arm"] == fault["arm"] and op["cart"] is not None and op["invoked"] > fault["begin"]:
            shown.setdefault(op["shopper"], []).append((op["server"], sum(op["cart"].values())))
    lost_again = [
        shopper
        for shopper, answers in shown.items()
        for (away, before), (home, after) in pairwise(answers)
        if home == fault["target"] != away and after < before
    ]
    assert lost_again


def test_a_store_that_somebody_else_runs_is_not_the_labs_to_kill(run: Runs) -> None:
    done = run("store-down", *QUICK, "--redis-url", "redis://127.0.0.1:1", "--arms", "stateless")
    assert done.code == 4


def test_copies_on_other_servers_survive_a_crash_as_far_as_they_were_promised(run: Runs) -> None:
    done = run("crash", *QUICK, "--shoppers", "60", "--arms", "replicated:1,replicated:1-sync")
    assert verdicts(done) == {"replicated:1": ("bounded", "held"), "replicated:1-sync": ("kept", "held")}


def test_a_lost_answer_is_a_second_laptop_only_for_those_who_ask_again_without_a_key(run: Runs) -> None:
    done = run("lost-reply", *QUICK, "--shoppers", "90", "--arms", "stateless")
    assert verdicts(done) == {"stateless": ("kept", "held")}
    ledger = done.ledger("stateless")
    assert ledger["pieces"]["doubled"] > 0
    assert ledger["pieces"]["lost"] == ledger["pieces"]["duplicated"] == 0
    unanswered = [op for op in done.history if op["kind"] == "add" and op["outcome"] == "info"]
    assert unanswered
    assert all(op["key"] is None and op["wish"] for op in unanswered)
    assert ledger["pieces"]["doubled"] <= sum(op["quantity"] for op in unanswered)
    assert {(claim["id"], claim["verdict"]) for claim in done.results["claims"]} == {("retry-once", "held")}


def test_a_split_of_copies_brings_back_what_was_taken_out(run: Runs) -> None:
    done = run("split", *QUICK, "--shoppers", "60", "--arms", "replicated:2-lww/none,replicated:2-union/none")
    assert {expected for expected, _ in verdicts(done).values()} == {"diverged"}
    assert done.ledger("replicated:2-union/none")["carts"]["resurrected"] > 0
    assert done.ledger("replicated:2-lww/none")["carts"]["lost"] > 0


def test_a_server_that_wakes_up_serves_what_it_still_believes_unless_it_can_check(run: Runs) -> None:
    done = run("gray-failure", *QUICK, "--shoppers", "90")
    assert verdicts(done) == {
        "memory/cookie/open": ("lost", "held"),
        "write_through/cookie/open": ("kept", "held"),
    }
    woken = next(fault for fault in done.results["faults"] if fault["arm"] == "memory/cookie/open")
    stale = [op for op in done.history if op["invoked"] > woken["end"] and op["server"] == woken["target"]]
    assert stale


def test_a_slow_server_is_not_what_the_crash_is_about(run: Runs) -> None:
    done = run("crash", *QUICK, "--fault", "slow")
    assert done.code == 2
    assert "cartlab selftest --only slow" in done.stderr
