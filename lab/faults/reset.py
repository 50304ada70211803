"""Every connection breaks as soon as something is sent: the other side says RST, and nothing arrives.

Unlike a refusal it comes after the first byte, so whoever sent a change cannot know that it was
not made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab import acts
from lab.faults.wired import Wired
from lab.wire.rule import BROKEN

if TYPE_CHECKING:
    from lab.wire.rule import Rule


@dataclass(slots=True)
class Reset(Wired):
    name = "reset"
    did = "its connections are reset as soon as something is sent"
    undid = "its connections stand again"
    story = acts.RESETTING

    def rule(self) -> Rule:
        return BROKEN
