"""Faults, one a file: each an async context manager that breaks something and always heals it.

Every fault asks only for the narrow port that it needs, says in one line what it did and what it
undid, and heals under its own time limit even when the run around it is cancelled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.faults.cut import CutFromBalancer, CutFromStore
from lab.faults.endpoint import Endpoint
from lab.faults.kill import Kill
from lab.faults.pause import Pause
from lab.faults.restart import Restart
from lab.faults.stop import Stop
from lab.faults.store_kill import StoreKill

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.faults.fault import ServerFault

#: Fault by the name that ``--fault`` takes.
FAULTS: Mapping[str, type[ServerFault]] = {
    fault.name: fault
    for fault in (Kill, Endpoint, Stop, Restart, Pause, CutFromBalancer, CutFromStore, StoreKill)
}

__all__ = [
    "FAULTS",
    "CutFromBalancer",
    "CutFromStore",
    "Endpoint",
    "Kill",
    "Pause",
    "Restart",
    "Stop",
    "StoreKill",
]
