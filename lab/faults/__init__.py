"""Faults, one a file: each an async context manager that breaks something and always heals it.

Every fault asks only for the narrow port that it needs, says in one line what it did and what it
undid, and heals under its own time limit even when the run around it is cancelled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.faults.endpoint import Endpoint
from lab.faults.kill import Kill

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.faults.crash import ServerCrash

#: Fault by the name that ``--fault`` takes.
FAULTS: Mapping[str, type[ServerCrash]] = {Kill.name: Kill, Endpoint.name: Endpoint}

__all__ = ["FAULTS", "Endpoint", "Kill"]
