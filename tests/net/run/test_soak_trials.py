"""Kill after kill under load: what each strategy promises about a dead server, counted.

``CARTLAB_TRIALS`` kills each (6 unless it says otherwise; ``scripts/trials`` makes it 50).
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    Cartlab = Callable[..., subprocess.CompletedProcess[str]]
    Trials = Callable[[str], dict[str, Any]]

TRIALS = int(os.environ.get("CARTLAB_TRIALS", "6"))
#: A busy machine is no dead server.
PATIENT = ("--patience", "3")
#: One kill takes a few seconds at most; ``cartlab`` itself is given less by its fixture.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(100 + 10 * TRIALS)]


@pytest.fixture(name="killed")
def _killed(cartlab: Cartlab, tmp_path: Path, record_property: Callable[[str, object], None]) -> Trials:
    """The figures after ``TRIALS`` kills of random servers of one arm, every one of them healed."""

    def killed(arm: str) -> dict[str, Any]:
        words = ("--trials", str(TRIALS), "--faults", "kill", "--seed", "7", "--shoppers", "100", *PATIENT)
        done = cartlab("soak", "--arm", arm, *words, "--runs", str(tmp_path), "--json")
        found = json.loads(done.stdout or "{}")
        assert done.returncode == 0, found.get("story") or done.stderr
        figures: dict[str, Any] = found["figures"] | {"promises": found["promises"]}
        record_property("kills", figures["faults"]["kill"])
        assert figures["faults"] == {"kill": TRIALS}
        assert figures["carts_at_risk"] > 0, "nobody's cart was met by a kill"
        assert figures["strangers"] == 0
        assert figures["pieces"]["duplicated"] == 0
        return figures

    return killed


@pytest.mark.parametrize("arm", ["stateless", "write_through", "hybrid", "replicated:1-sync"])
def test_killed_servers_lose_double_and_mix_up_nothing(killed: Trials, arm: str) -> None:
    assert killed(arm)["pieces"]["lost"] == 0


def test_copies_made_afterwards_lose_no_more_with_a_server_than_it_said(killed: Trials) -> None:
    figures = killed("replicated:1")
    assert figures["most_lost_with_one_fault"] <= figures["promises"]["bounded_loss"]


def test_memory_loses_exactly_the_sessions_of_the_dead_servers(killed: Trials) -> None:
    figures = killed("memory")
    assert figures["carts_at_risk_lost"] == figures["carts_at_risk"]
    assert figures["carts_lost_elsewhere"] == 0
