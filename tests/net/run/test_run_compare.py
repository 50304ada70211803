"""The trade-off table from end to end: five runs, and every figure out of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


def test_two_designs_are_compared_by_what_they_lost_and_what_they_cost(
    cartlab: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    words = ("--fast", "--json", "--seed", "11", "--shoppers", "30", "--runs", str(tmp_path))
    done = cartlab("compare", "--arms", "memory,stateless", *words)
    assert done.returncode == 0, done.stderr
    arms = json.loads(done.stdout)["arms"]
    assert arms["memory"]["carts lost, server crash"] == "10 of 30"
    assert arms["memory"]["carts lost, store loss"] == "0 of 30"
    assert arms["stateless"]["carts lost, server crash"] == "0 of 30"
    assert arms["stateless"]["carts lost, store loss"] == "30 of 30"
    assert arms["stateless"]["carts lost, both at once"] == "30 of 30"
    assert arms["stateless"]["acknowledged but lost, 20 tabs"].startswith("0 of ")
    # Both ways, and a little less where calls that wait together travel as one.
    assert float(arms["stateless"]["store messages a write"]) > 1
    assert arms["memory"]["store messages a write"] == "-"
    assert {path.name for path in tmp_path.iterdir()} > {"calm", "crash", "store-amnesia", "both", "two-tabs"}

    told = cartlab("claims", "--json", "--runs", str(tmp_path))
    entries = {entry["id"]: entry for entry in json.loads(told.stdout)["claims"]}
    assert [(figure["arm"], figure["verdict"]) for figure in entries["C01"]["measured"]] == [
        ("memory", "held")
    ]
    assert entries["C38"]["state"] == "not shown yet"
