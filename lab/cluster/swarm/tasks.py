"""Which task is which server: what Swarm tells of a service, read. Pure.

A task is one attempt at keeping a place (its *slot*) filled; when it dies Swarm makes another one for
the same slot. So the slot is what keeps its name, and the newest task is who bears it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Task:
    """``host`` is its address on the network asked for; it and ``container`` are empty while it has none."""

    id: str
    slot: int
    state: str
    problem: str
    container: str
    host: str

    @property
    def runs(self) -> bool:
        return self.state == "running"


def newest(told: Iterable[dict[str, Any]], network: str) -> dict[int, Task]:
    """The newest task of each slot."""
    ordered = sorted(told, key=lambda one: one["CreatedAt"])
    return {task.slot: task for task in (_task(one, network) for one in ordered)}


def _task(told: dict[str, Any], network: str) -> Task:
    status = told.get("Status", {})
    addresses = [
        address
        for place in told.get("NetworksAttachments") or ()
        if place["Network"]["Spec"]["Name"] == network
        for address in place.get("Addresses") or ()
    ]
    return Task(
        id=told["ID"],
        slot=told.get("Slot", 0),
        state=status.get("State", "new"),
        problem=status.get("Err", ""),
        container=(status.get("ContainerStatus") or {}).get("ContainerID", ""),
        host=addresses[0].partition("/")[0] if addresses else "",
    )
