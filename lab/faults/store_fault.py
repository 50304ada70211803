"""What all faults on a store share: only what the lab started itself may be broken, and it must be there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab import acts
from lab.faults.fault import Hits, ServerFault
from lab.topology import Platform

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lab.topology import Arm


@dataclass(slots=True)
class StoreFault(ServerFault):
    story = acts.STORE_GONE
    platforms = frozenset({Platform.PROCESSES})
    elsewhere = "there the lab does not own the store's process"
    hits = Hits.STORE

    @classmethod
    def misfit(cls, arms: Iterable[Arm]) -> str | None:
        listed = list(arms)
        if any(arm.needs_store for arm in listed):
            return None
        return (
            f"--fault {cls.name} breaks a store, and {' and '.join(arm.name for arm in listed)} has none: "
            "nothing would be hit. Name an arm that has one, as with --arms stateless."
        )
