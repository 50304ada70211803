"""What all crashes of a server share: it goes, and to heal means to start it again."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from lab.errors import HealingFailed
from lab.timeline import FaultBegan, FaultHealed

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.cluster.ports import Starts
    from lab.timeline import Timeline

#: Seconds that a server has to come back before the run ends as "healing failed".
HEAL_WITHIN = 20.0


@dataclass(slots=True)
class ServerCrash(ABC):
    """A crash of ``server`` in ``arm``, from ``async with`` until its end.

    ``site`` is the narrowest port that can do it; ``clock`` gives seconds since the run began.
    """

    name: ClassVar[str]
    did: ClassVar[str]

    arm: str
    server: str
    site: Starts
    timeline: Timeline
    clock: Callable[[], float]

    @abstractmethod
    async def inflict(self) -> None:
        """Make the server's process go away."""

    async def __aenter__(self) -> Self:
        self.timeline.record(FaultBegan(self.clock(), self.arm, self.name, self.server, self.did))
        try:
            await self.inflict()
        except BaseException:
            await self._heal()
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._heal()

    async def _heal(self) -> None:
        """Shielded: whoever cancels the run still gets their server back, or hears why not."""
        healing = asyncio.ensure_future(asyncio.wait_for(self.site.start(self.server), HEAL_WITHIN))
        try:
            await _finish(healing)
        except TimeoutError:
            raise HealingFailed(
                f"Tried to start {self.server} of the {self.arm} arm again after {self.name}; expected the "
                f"balancer to call it up within {HEAL_WITHIN:.0f} s, and it did not. "
                f"Its log is log/{self.arm}-{self.server}.log in the run's folder; 'cartlab down' cleans up."
            ) from None
        self.timeline.record(
            FaultHealed(self.clock(), self.arm, self.name, self.server, "back, memory empty")
        )


async def _finish(healing: asyncio.Future[None]) -> None:
    """Wait for ``healing`` to its end; a cancellation that comes meanwhile is passed on afterwards."""
    try:
        await asyncio.shield(healing)
    except asyncio.CancelledError:
        await asyncio.wait([healing])
        healing.result()
        raise
