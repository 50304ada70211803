"""The list of statements names tests that exist, and leaves none of the forty out."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
LIST = (TESTS / "net/cart/statements.md").read_text(encoding="utf-8")


def test_all_forty_are_listed() -> None:
    assert [int(number) for number in re.findall(r"(?m)^\| (\d+) \|", LIST)] == list(range(1, 41))


def test_every_test_that_is_named_exists() -> None:
    written = {
        name
        for path in TESTS.rglob("test_*.py")
        for name in re.findall(r"def (test_\w+)", path.read_text(encoding="utf-8"))
    }
    assert not set(re.findall(r"`(test_\w+)`", LIST)) - written
