"""The list of what is claimed of the balancer names tests that exist, and forgets no statement."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

TESTS = Path(__file__).parent.parent
LIST = TESTS / "net" / "lb" / "statements.toml"
STATEMENTS = tomllib.loads(LIST.read_text())  # which itself refuses a statement that is there twice
#: How many statements there are of each kind.
KINDS = {"C": 19, "F": 14, "D": 9, "H": 9, "L": 5, "P": 18, "S": 17, "W": 9, "T": 6, "Q": 5, "R": 4}


def test_every_statement_is_there_once_in_order() -> None:
    wanted = [f"{kind}{number:02}" for kind, count in KINDS.items() for number in range(1, count + 1)]
    assert list(STATEMENTS) == wanted


def test_each_is_proved_or_says_what_is_open() -> None:
    for name, statement in STATEMENTS.items():
        assert statement.keys() <= {"claim", "tests", "open"}, name
        assert statement["claim"], name
        assert statement.get("tests") or statement.get("open"), name


def test_the_tests_that_are_named_are_there() -> None:
    files = sorted([*(TESTS / "net" / "lb").glob("test_*.py"), *(TESTS / "unit").glob("test_lb_*.py")])
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-n", "0", "-p", "no:cacheprovider"]
    found = subprocess.run(
        [*command, *map(str, files)], cwd=TESTS.parent, capture_output=True, text=True, check=True
    )
    cases = set(re.findall(r"(?m)^tests/.+$", found.stdout))
    there = cases | {case.partition("[")[0] for case in cases}
    named = [test for statement in STATEMENTS.values() for test in statement.get("tests", ())]
    assert [test for test in named if test not in there] == []
