"""Faults, one a file: each an async context manager that breaks something and always heals it.

Every fault asks only for the narrow port that it needs, says in one line what it did and what it
undid, and heals under its own time limit even when the run around it is cancelled.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lab import acts
from lab.faults.balancer_restart import BalancerRestart
from lab.faults.black_hole import BlackHole
from lab.faults.clock_skew import ClockSkew
from lab.faults.cut import CutFromBalancer, CutFromServers, CutFromStore
from lab.faults.endpoint import Endpoint
from lab.faults.kill import Kill
from lab.faults.pause import Pause
from lab.faults.reply_lost import ReplyLost
from lab.faults.reset import Reset
from lab.faults.restart import Restart
from lab.faults.slow import Slow
from lab.faults.start_late import StartLate
from lab.faults.stop import Stop
from lab.faults.store_freeze import StoreFreeze
from lab.faults.store_full import StoreEvicts, StoreFull
from lab.faults.store_kill import StoreKill
from lab.faults.store_power import StorePowerLoss
from lab.faults.store_restart import StoreRestart
from lab.topology import Platform

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.acts import Story
    from lab.faults.fault import ServerFault

#: Fault by the name that ``--fault`` takes.
FAULTS: Mapping[str, type[ServerFault]] = {
    fault.name: fault
    for fault in (
        *(Kill, Endpoint, Stop, Restart, StartLate, Pause),
        *(CutFromBalancer, BlackHole, Reset, Slow, ReplyLost, ClockSkew),
        *(CutFromStore, CutFromServers),
        *(StoreKill, StoreFreeze, StoreRestart, StorePowerLoss, StoreFull, StoreEvicts),
        BalancerRestart,
    )
}


def story_of(fault: str, platform: Platform) -> Story:
    """The acts of ``fault`` there: on Swarm nobody is started again by hand."""
    story = FAULTS[fault].story
    if platform is Platform.SWARM and story.heal:
        return replace(story, heal=acts.REPLACED)
    return story


__all__ = [
    "FAULTS",
    "BalancerRestart",
    "BlackHole",
    "ClockSkew",
    "CutFromBalancer",
    "CutFromServers",
    "CutFromStore",
    "Endpoint",
    "Kill",
    "Pause",
    "ReplyLost",
    "Reset",
    "Restart",
    "Slow",
    "StartLate",
    "Stop",
    "StoreEvicts",
    "StoreFreeze",
    "StoreFull",
    "StoreKill",
    "StorePowerLoss",
    "StoreRestart",
    "story_of",
]
