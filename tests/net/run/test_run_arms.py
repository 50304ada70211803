"""More arms than two: rounds, one folder, one table, and the same story for the same design."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.net.run.conftest import Finished

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


def test_each_arm_does_what_its_strategy_and_tie_are_expected_to(three: Finished) -> None:
    assert three.code == 0, three.stdout + three.stderr
    arms = three.results["arms"]
    assert {name: arm["expected"] for name, arm in arms.items()} == {
        "memory/cookie": "lost",
        "stateless/learn": "kept",
        "memory/hash": "scattered",
    }
    assert three.ledger("stateless/learn")["carts"]["kept"] == 60
    assert three.ledger("memory/hash")["carts"]["lost"] > three.ledger("memory/cookie")["carts"]["lost"] > 0


def test_all_rounds_meet_the_same_shoppers_and_the_same_crash(three: Finished) -> None:
    assert len({fault["target"] for fault in three.results["faults"]}) == 1
    asked = {
        arm: sorted(
            (op["shopper"], op["kind"], op["item"] or "", op["quantity"], op["key"] or "")
            for op in three.history
            if op["arm"] == arm and op["kind"] != "final-read"
        )
        for arm in three.results["arms"]
    }
    assert asked["memory/cookie"] == asked["stateless/learn"] == asked["memory/hash"]


def test_one_table_at_the_end_has_a_row_for_every_arm(three: Finished) -> None:
    table = three.stdout[three.stdout.rindex("A cart server dies") :]
    for arm, expected in (
        ("memory/cookie", "lost"),
        ("stateless/learn", "kept"),
        ("memory/hash", "scattered"),
    ):
        assert re.search(rf"(?m)^{arm} +{expected} .*AS EXPECTED", table), table


def test_the_logs_of_an_arm_have_names_that_are_files(three: Finished) -> None:
    logs = {path.name for path in (three.folder / "log").iterdir()}
    assert {"memory-cookie-lb.log", "stateless-learn-store.log", "memory-hash-server-1.log"} <= logs
