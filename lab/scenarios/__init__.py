"""Every scenario, listed by hand: nothing registers itself on import."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.scenarios.calm import CALM
from lab.scenarios.crash import CRASH

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.scenario import Scenario

SCENARIOS: Mapping[str, Scenario] = {"crash": CRASH, "calm": CALM}

__all__ = ["SCENARIOS"]
