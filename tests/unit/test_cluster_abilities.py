from __future__ import annotations

import sys

import pytest

from lab.arms import read_arms
from lab.cluster import abilities
from lab.errors import EnvironmentProblem


def test_what_the_cart_program_can_do_is_found_on_its_own_help_page() -> None:
    abilities.check_strategies(read_arms("sticky,stateless"))


def test_a_strategy_it_has_not_got_is_refused_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    older = (sys.executable, "-c", "print('  --strategy memory|stateless  Where carts live.')")
    monkeypatch.setattr(abilities, "_ASKED", older)
    with pytest.raises(EnvironmentProblem, match=r"asks for naive_blob; .* knows memory, stateless"):
        abilities.check_strategies(read_arms("memory,naive_blob"))
