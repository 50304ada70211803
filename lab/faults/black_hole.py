"""One way only: requests reach the server and are carried out, and no answer comes back.

The worst of both: to the balancer it is gone, to itself it is well, and what it was asked has happened.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab import acts
from lab.faults.wired import Wired
from lab.wire.rule import UNANSWERED

if TYPE_CHECKING:
    from lab.wire.rule import Rule


@dataclass(slots=True)
class BlackHole(Wired):
    name = "black-hole"
    did = "hears everything, and its answers go nowhere"
    undid = "its answers arrive again"
    story = acts.UNHEARD

    def rule(self) -> Rule:
        return UNANSWERED
