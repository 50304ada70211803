"""All self-tests that were asked for: a site for each kind of arm, two at a time, told as they end."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp

from lab.cluster.family import Family
from lab.cluster.processes import open_sites
from lab.cluster.site import together
from lab.faults import FAULTS
from lab.selftest.sight import Sight
from lab.selftest.symptoms import SYMPTOMS
from lab.selftest.trial import Examination

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lab.selftest.trial import Trial
    from lab.topology import Arm

#: More would measure the machine.
_AT_ONCE = 2


async def examine(names: Sequence[str], tell: Callable[[Trial], None]) -> list[Trial]:
    """One trial for each of ``names``, in their order; ``tell`` hears of each as soon as it is over."""
    groups: dict[Arm, list[str]] = {}
    for name in names:
        groups.setdefault(SYMPTOMS[name].arm, []).append(name)
    found: dict[str, Trial] = {}
    turn = asyncio.Semaphore(_AT_ONCE)

    def note(trial: Trial) -> None:
        found[trial.fault] = trial
        tell(trial)

    async def one(arm: Arm, its: list[str]) -> None:
        async with turn:
            await _examine_on(arm, its, note)

    ordered = sorted(groups.items(), key=lambda group: -len(group[1]))
    await together(*(one(arm, its) for arm, its in ordered))
    return [found[name] for name in names]


async def _examine_on(arm: Arm, names: Sequence[str], tell: Callable[[Trial], None]) -> None:
    links = {side for name in names for side in FAULTS[name].links}
    with tempfile.TemporaryDirectory(prefix="cartlab-selftest-") as logs:
        async with (
            Family("run", f"selftest-{arm.slug}", Path(logs)) as family,
            open_sites([arm], family, links=links) as sites,
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http,
        ):
            for name in names:
                sight = Sight(sites[arm.name], http)
                tell(await Examination(name, SYMPTOMS[name], sight).run())
