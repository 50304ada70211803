"""Every scenario, listed by hand: nothing registers itself on import."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.scenarios.black_friday import BLACK_FRIDAY
from lab.scenarios.calm import CALM
from lab.scenarios.cold_herd import COLD_HERD
from lab.scenarios.crash import CRASH
from lab.scenarios.expiry import EXPIRY
from lab.scenarios.fail_back import FAIL_BACK
from lab.scenarios.gray_failure import GRAY_FAILURE
from lab.scenarios.lost_reply import LOST_REPLY
from lab.scenarios.split import SPLIT
from lab.scenarios.store_amnesia import STORE_AMNESIA
from lab.scenarios.store_down import STORE_DOWN
from lab.scenarios.two_tabs import TWO_TABS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.scenario import Scenario

SCENARIOS: Mapping[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        CRASH,
        CALM,
        TWO_TABS,
        LOST_REPLY,
        FAIL_BACK,
        GRAY_FAILURE,
        SPLIT,
        COLD_HERD,
        STORE_DOWN,
        STORE_AMNESIA,
        EXPIRY,
        BLACK_FRIDAY,
    )
}

__all__ = ["SCENARIOS"]
