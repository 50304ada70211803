from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lab.declarations import defects
from lab.scenario import Injection
from lab.scenarios import SCENARIOS
from lab.scenarios.crash import CRASH


def test_every_scenario_that_ships_is_sound() -> None:
    assert defects(SCENARIOS) == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"lesson": " "}, "lesson is empty"),
        ({"hint": ""}, "hint is empty"),
        ({"faults": (Injection("lightning"),)}, "'lightning' does not exist"),
        ({"claims": ()}, "no claim"),
        ({"claims": ("C99",)}, "'C99' does not exist"),
        ({"tests": ("survives_a_flood",)}, "unknown promise 'survives_a_flood'"),
        ({"expects": "fine"}, "expects 'fine'"),
        ({"workload": "picnic"}, "'picnic' does not exist"),
        ({"predictions": CRASH.predictions[1:]}, "not exactly one is right"),
        ({"arms": ("stickey",)}, "arms make no sense"),
        ({"name": "crush"}, "calls itself 'crush'"),
    ],
)
def test_a_defect_in_a_declaration_is_found_and_named(change: dict[str, Any], says: str) -> None:
    found = defects({"crash": replace(CRASH, **change)})
    assert any(says in defect for defect in found), found


def test_a_name_used_twice_is_found() -> None:
    assert any("used twice" in defect for defect in defects({"crash": CRASH, "again": CRASH}))
