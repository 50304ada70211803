"""What all faults on one server share: they begin, they are told to the timeline, and they heal."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Self

from lab import acts
from lab.errors import HealingFailed
from lab.timeline import FaultBegan, FaultHealed
from lab.topology import Platform

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lab.acts import Story
    from lab.cluster.ports import Side
    from lab.timeline import Timeline
    from lab.topology import Arm


class Hits(StrEnum):
    """What a fault takes from the shoppers; a scenario is about one of these."""

    SERVER = "takes a server away"
    #: The server answers on, worse than before.
    SERVICE = "leaves the server there"
    STORE = "takes the store away"
    #: The store answers on, and has less than it acknowledged or refuses more.
    CONTENT = "leaves the store there, with less in it"
    BALANCER = "takes the balancer away"

    @property
    def on_store(self) -> bool:
        return self in {Hits.STORE, Hits.CONTENT}


#: Seconds that a server has to come back before the run ends as "healing failed".
HEAL_WITHIN = 30.0


@dataclass(slots=True)
class ServerFault(ABC):
    """Something broken about ``server`` of ``arm``, from ``async with`` until its end.

    A subclass narrows ``site`` to the ports that it needs; ``clock`` gives seconds since the run began.
    ``platforms`` are where those ports exist, and ``elsewhere`` says why nowhere else; ``links`` are the
    sides on which the fault proxy must stand between. ``strength`` is in ``unit``, and None is the ``usual``
    one; with 0 nothing is to be felt. A ``graded`` fault is inflicted then too, for that to be seen.
    """

    name: ClassVar[str]
    did: ClassVar[str]
    undid: ClassVar[str]
    story: ClassVar[Story] = acts.CRASHED
    platforms: ClassVar[frozenset[Platform]] = frozenset({Platform.PROCESSES, Platform.DOCKER})
    elsewhere: ClassVar[str] = ""
    on_swarm: ClassVar[str] = (
        "Swarm itself replaces what does not answer. There it is kill, endpoint, stop or restart"
    )
    hits: ClassVar[Hits] = Hits.SERVER
    links: ClassVar[frozenset[Side]] = frozenset()
    unit: ClassVar[str] = ""
    usual: ClassVar[float] = 1.0
    graded: ClassVar[bool] = False

    arm: str
    server: str
    site: Any
    timeline: Timeline
    clock: Callable[[], float]
    strength: float | None = None

    @property
    def amount(self) -> float:
        return self.usual if self.strength is None else self.strength

    @property
    def is_felt(self) -> bool:
        return self.amount != 0 or self.graded

    @abstractmethod
    async def inflict(self) -> None: ...

    @abstractmethod
    async def undo(self) -> None:
        """Return when the server is as it was before, and the balancer calls it up."""

    @classmethod
    def refusal(cls, platform: Platform, arms: Iterable[Arm]) -> str | None:
        """Why it has no place in a run of ``arms`` there, or None."""
        if platform in cls.platforms:
            return cls.misfit(arms)
        if platform is Platform.SWARM:
            return f"--fault {cls.name} is not possible {platform.words}: {cls.on_swarm}."
        places = " or ".join(place.flag for place in Platform if place in cls.platforms)
        return f"--fault {cls.name} is not possible {platform.words}: {cls.elsewhere}. It is {places}."

    @classmethod
    def misfit(cls, arms: Iterable[Arm]) -> str | None:  # noqa: ARG003 - for subclasses
        """Why these arms have nothing that it could break, or None."""
        return None

    async def __aenter__(self) -> Self:
        self.timeline.record(FaultBegan(self.clock(), self.arm, self.name, self.server, self.did))
        try:
            if self.is_felt:
                await self.inflict()
        except BaseException:
            await self._heal()
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._heal()

    async def _undone(self) -> None:
        if self.is_felt:
            await self.undo()

    async def _heal(self) -> None:
        """Shielded: whoever cancels the run still gets their server back, or hears why not."""
        healing = asyncio.ensure_future(asyncio.wait_for(self._undone(), HEAL_WITHIN))
        try:
            await _finish(healing)
        except TimeoutError:
            raise HealingFailed(
                f"Tried to bring {self.server} of the {self.arm} arm back after {self.name}; expected the "
                f"balancer to call it up within {HEAL_WITHIN:.0f} s, and it did not. "
                f"Its log is log/{self.arm}-{self.server}.log in the run's folder; 'cartlab down' cleans up."
            ) from None
        self.timeline.record(FaultHealed(self.clock(), self.arm, self.name, self.server, self.undid))


async def _finish(healing: asyncio.Future[None]) -> None:
    """Wait for ``healing`` to its end; a cancellation that comes meanwhile is passed on afterwards."""
    try:
        await asyncio.shield(healing)
    except asyncio.CancelledError:
        await asyncio.wait([healing])
        healing.result()
        raise
