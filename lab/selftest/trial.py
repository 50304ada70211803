"""One fault put to the test: well before, nothing at strength 0, its symptom in time, well after."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.errors import LabError
from lab.faults import FAULTS
from lab.faults.fault import Hits
from lab.ledger import BALANCER, STORE
from lab.selftest.symptoms import CROWD
from lab.timeline import Timeline
from lab.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from lab.faults.fault import ServerFault
    from lab.selftest.sight import Sight
    from lab.selftest.symptoms import Symptom

#: Seconds that a site has to be as before.
WELL_WITHIN = 10.0
#: Seconds for which the symptom must stay away at strength 0.
NULL_FOR = 0.4
#: What strength 0 may cost a read: by so much two measurements of the same differ on a busy machine.
_NULL_FACTOR, _NULL_SLACK = 2.0, 0.010
_MEASURED = 4
_QUICK = 0.2
_PAUSE = 0.02


@dataclass(frozen=True, slots=True)
class Trial:
    """What was seen of ``fault``: seconds, and None for what was not seen. ``reason`` says why a verdict."""

    fault: str
    verdict: Verdict
    reason: str
    symptom: str
    within: float
    seen: float | None = None
    healed: float | None = None
    read_before: float | None = None
    read_at_zero: float | None = None


class _Ends(Exception):
    def __init__(self, verdict: Verdict, reason: str) -> None:
        self.verdict = verdict
        self.reason = reason


@dataclass(slots=True)
class Examination:
    """``sight`` is of a site that has what the fault needs."""

    name: str
    symptom: Symptom
    sight: Sight
    healing_began: float = 0.0
    seen: float | None = None
    healed: float | None = None
    read_before: float | None = None
    read_at_zero: float | None = None

    async def run(self) -> Trial:
        try:
            await self._steps()
        except _Ends as end:
            return self._trial(end.verdict, end.reason)
        except (LabError, TimeoutError) as problem:
            return self._trial(Verdict.BROKEN, str(problem) or "it did not end in time")
        return self._trial(Verdict.HELD, "")

    async def _steps(self) -> None:
        await self._until(self._is_well, WELL_WITHIN, Verdict.CANNOT_TELL, "the site was not well before it")
        if self.symptom.wants_crowd:
            await self.sight.crowd(CROWD)
        if not await self.sight.settle():
            raise _Ends(Verdict.CANNOT_TELL, "no shopper came to the server that was to be hit")
        self.read_before = await self.sight.seconds()
        await self._nothing_at_zero()
        await self._symptom_in_time()
        await self._until(self._is_well, WELL_WITHIN, Verdict.BROKEN, "healing did not heal")
        self.healed = time.monotonic() - self.healing_began
        if self.symptom.after and not await self.symptom.after(self.sight):
            raise _Ends(Verdict.BROKEN, "what it should leave behind is not there")

    async def _nothing_at_zero(self) -> None:
        async with self._fault(0.0):
            end = time.monotonic() + NULL_FOR
            while time.monotonic() < end:
                if await self.symptom.look(self.sight):
                    raise _Ends(Verdict.BROKEN, "its symptom is there at strength 0")
                await asyncio.sleep(_PAUSE)
            await self._read_at_zero((self.read_before or 0) * _NULL_FACTOR + _NULL_SLACK)

    async def _read_at_zero(self, bound: float) -> None:
        """Other work on the machine makes one measurement slower; a fault makes all."""
        for _ in range(_MEASURED):
            self.read_at_zero = await self.sight.seconds()
            if self.read_at_zero <= bound:
                return
        raise _Ends(Verdict.BROKEN, "strength 0 makes reads slower")

    async def _symptom_in_time(self) -> None:
        """Looked for from the moment it begins: a fault that heals by itself may be over when it is in."""
        began = time.monotonic()
        inside, over = asyncio.Event(), asyncio.Event()

        async def inflict() -> None:
            try:
                async with self._fault(None):
                    inside.set()
                    await over.wait()
            finally:
                inside.set()

        inflicting = asyncio.create_task(inflict())
        try:
            missing = f"its symptom did not come within {self.symptom.within:g} s"
            await self._until(self._shows, self.symptom.within, Verdict.BROKEN, missing)
            self.seen = time.monotonic() - began
            await inside.wait()
        finally:
            self.healing_began = time.monotonic()
            over.set()
            await inflicting

    def _fault(self, strength: float | None) -> ServerFault:
        kind, sight = FAULTS[self.name], self.sight
        target = {Hits.STORE: STORE, Hits.CONTENT: STORE, Hits.BALANCER: BALANCER}.get(
            kind.hits, sight.victim
        )
        return kind(sight.site.arm.name, target, sight.site, Timeline(), time.monotonic, strength)

    async def _shows(self) -> bool:
        return await self.symptom.look(self.sight)

    async def _is_well(self) -> bool:
        """All up, a stranger's add is answered, and quickly; nothing of the symptom, unless it stays."""
        if await self.sight.state() != "up":
            return False
        if self.seen is not None and not self.symptom.stays and await self.symptom.look(self.sight):
            return False
        began = time.monotonic()
        answers = [await self.sight.site_answers() for _ in range(2)]
        return all(answers) and time.monotonic() - began < 2 * _QUICK

    async def _until(
        self, condition: Callable[[], Awaitable[bool]], within: float, verdict: Verdict, otherwise: str
    ) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                while not await condition():
                    await asyncio.sleep(_PAUSE)
                return
        raise _Ends(verdict, otherwise)

    def _trial(self, verdict: Verdict, reason: str) -> Trial:
        return Trial(
            self.name,
            verdict,
            reason,
            self.symptom.says,
            self.symptom.within,
            self.seen,
            self.healed,
            self.read_before,
            self.read_at_zero,
        )
