"""The other faults that an engine knows, each in a small whole run: it hits, heals, and the verdict holds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.docker.conftest import Lab

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.usefixtures("images")]
QUICK = ("--docker", "--fast", "--no-input", "--plain", "--servers", "2", "--shoppers", "40", "--seed", "11")


@pytest.mark.parametrize(
    ("fault", "arm", "keeps_its_memory"),
    [
        ("stop", "sticky", False),
        ("restart", "sticky", False),
        ("pause", "sticky", True),
        ("cut-from-balancer", "sticky", True),
        ("cut-from-store", "stateless", True),
    ],
)
def test_a_run_breaks_one_server_heals_it_and_is_as_expected(
    lab: Lab, fault: str, arm: str, *, keeps_its_memory: bool
) -> None:
    code, said = lab.cartlab("run", "crash", *QUICK, "--arms", arm, "--fault", fault)
    assert code == 0, said
    results: dict[str, Any] = json.loads((lab.folder / "results.json").read_text())
    (hit,) = results["faults"]
    assert (hit["fault"], hit["arm"]) == (fault, arm)
    assert hit["begin"] < hit["end"]
    lines = said.splitlines()
    begun, healed = (
        next(n for n, line in enumerate(lines) if f" {word} " in line) for word in ("fault", "heal")
    )
    told = [
        line.split(hit["target"], 1)[1] for line in lines[begun:] if f" server       {hit['target']} " in line
    ]
    assert any(not state.startswith(" up") for state in told), "the balancer saw that it was away"
    assert told[-1].startswith(" up")
    assert begun < healed
    born = (lab.folder / "log" / f"{arm}-{hit['target']}.log").read_text().count('"event":"listening"')
    assert born == (1 if keeps_its_memory else 2)
    assert not lab.left_over()
