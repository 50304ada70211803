"""The way to one server takes longer: it is up, it is right, and whoever is tied to it waits.

No check notices: a tenth of a second more is no failure. A sticky shopper waits at every request, an
untied one at each third.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab import acts
from lab.faults.fault import Hits
from lab.faults.wired import Wired
from lab.wire import rule

if TYPE_CHECKING:
    from lab.wire.rule import Rule

#: Of the delay, as much again at most: no real way is even.
_JITTER = 0.2


@dataclass(slots=True)
class Slow(Wired):
    name = "slow"
    did = "every round trip takes longer"
    undid = "as quick as before"
    story = acts.SLOWED
    hits = Hits.SERVICE
    unit = "seconds a round trip"
    usual = 0.25
    graded = True

    def rule(self) -> Rule:
        return rule.slow(self.amount, _JITTER * self.amount)
