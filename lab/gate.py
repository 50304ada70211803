"""The steady-state gate: a sick site is never broken further, since nobody could tell the two apart."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from lab.errors import Aborted
from lab.workload.client import Door, NoAnswer, NotSent

if TYPE_CHECKING:
    from lab.cluster.ports import Site
    from lab.topology import Arm

#: Seconds that an arm has to show that it is well.
WITHIN = 10.0
#: A request that takes longer is no sign of health.
ANSWER_WITHIN = 1.0
_BETWEEN_LOOKS = 0.1


async def steady(arm: Arm, site: Site) -> None:
    """Return when the balancer calls every server of ``arm`` up and each has answered a shopper's request."""
    missing = "nobody answered anything"
    try:
        async with asyncio.timeout(WITHIN):
            while missing := await _what_is_missing(arm, site):
                await asyncio.sleep(_BETWEEN_LOOKS)
    except TimeoutError:
        raise Aborted(
            f"Looked for {WITHIN:.0f} s whether the {arm.name} arm is well; expected all {arm.servers} "
            f"servers up and answering through the balancer; {missing}. A sick site is not broken further: "
            "its logs are in log/ of the run's folder, and 'cartlab doctor' checks the machine."
        ) from None


async def _what_is_missing(arm: Arm, site: Site) -> str:
    """The first thing that is not as it should be, or nothing."""
    try:
        async with Door(site.admin.url, timeout=ANSWER_WITHIN) as admin, admin.person() as operator:
            rows = (await operator.get("/servers")).json["servers"]
        not_up = [f"{row['name']} is {row['state']}" for row in rows if row["state"] != "up"]
        if not_up or len(rows) != arm.servers:
            return ", ".join(not_up) or f"the balancer knows {len(rows)} servers"
        async with Door(site.front.url, timeout=ANSWER_WITHIN) as front:
            answered = {await _who_answers(front) for _ in range(2 * arm.servers)}
    except (NotSent, NoAnswer, TypeError, KeyError) as problem:
        return f"a request failed: {problem}"
    silent = set(arm.server_names) - answered
    return f"{', '.join(sorted(silent))} answered nobody" if silent else ""


async def _who_answers(front: Door) -> str | None:
    async with front.person() as stranger:
        answer = await stranger.get("/cart")
    return answer.headers.get("X-Served-By") if answer.status == 200 else None  # noqa: PLR2004 - OK
