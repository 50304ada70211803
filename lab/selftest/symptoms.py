"""What must be seen of each fault, how soon, and on which site."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.topology import Arm

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from lab.selftest.sight import Seen, Sight

    Look = Callable[[Sight], Awaitable[bool]]

_UNAVAILABLE = 503
_SERVERS = 2
#: Carts beside the shopper's own, so that a store that has to forget has something to forget.
CROWD = 200

MEMORY = Arm("memory", "memory", "learn", servers=_SERVERS)
STORED = Arm("stateless", "stateless", "learn", servers=_SERVERS)
COPIED = Arm("replicated", "replicated", "learn", servers=_SERVERS)
CARRIED = Arm("client_cookie", "client_cookie", "none", servers=_SERVERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Symptom:
    """``look`` is true when it is there; it must be within ``within`` seconds after the fault began.

    ``stays``: it is a trace, and healing does not take it away. ``after`` must be true once all is healed.
    ``wants_crowd``: there must be other carts.
    """

    says: str
    look: Look
    within: float
    arm: Arm
    stays: bool = False
    after: Look | None = None
    wants_crowd: bool = False


async def _is_down(sight: Sight) -> bool:
    return await sight.state() == "down"


async def _is_another(sight: Sight) -> bool:
    pid = (await sight.stats()).get("pid")
    return pid is not None and pid != sight.pid


async def _waits(sight: Sight) -> bool:
    began = time.perf_counter()
    seen = await sight.cart()
    return seen.is_ok and time.perf_counter() - began > _A_QUARTER


_A_QUARTER = 0.25


async def _is_done_unanswered(sight: Sight) -> bool:
    """The add failed, and it is in the cart."""
    before = await sight.cart()
    if (await sight.add()).is_ok:
        return False
    after = await sight.cart()
    return before.is_ok and after.is_ok and after.pieces == before.pieces + 1


async def _is_expired_there(sight: Sight) -> bool:
    seen = await sight.cart_at_victim()
    return seen.is_ok and not seen.pieces


async def _is_alone(sight: Sight) -> bool:
    figures = (await sight.stats()).get("figures", {})
    return bool(figures) and int(figures["members_live"]) == 0


async def _is_unavailable(sight: Sight) -> bool:
    return _says_so(await sight.cart())


async def _is_unavailable_after_adds(sight: Sight) -> bool:
    return _says_so(await sight.add())


async def _has_lost_the_acknowledged(sight: Sight) -> bool:
    seen = await sight.cart()
    return seen.is_ok and seen.pieces < sight.acknowledged


async def _counts_from_nothing(sight: Sight) -> bool:
    figures = await sight.figures()
    return figures is not None and figures.messages < sight.messages


async def _refuses_writes_only(sight: Sight) -> bool:
    return _says_so(await sight.add()) and (await sight.cart()).is_ok


async def _has_forgotten_carts(sight: Sight) -> bool:
    await sight.crowd(1)
    figures = await sight.figures()
    return figures is not None and figures.keys < sight.keys


async def _has_forgotten_ties(sight: Sight) -> bool:
    return 0 <= await sight.sessions_bound() < sight.sessions


def _says_so(seen: Seen) -> bool:
    return seen.status == _UNAVAILABLE


def _down(arm: Arm = MEMORY) -> Symptom:
    return Symptom(says="the balancer calls it down", look=_is_down, within=5, arm=arm)


def _unavailable(look: Look = _is_unavailable, after: Look | None = None, also: str = "") -> Symptom:
    says = f"shoppers are told 503, not shown an empty cart{also}"
    return Symptom(says=says, look=look, within=8, arm=STORED, after=after)


SYMPTOMS: Mapping[str, Symptom] = {
    "kill": _down(),
    "endpoint": _down(),
    "stop": _down(),
    "restart": Symptom(says="another process answers", look=_is_another, within=8, arm=MEMORY, stays=True),
    "start-late": _down(),
    "pause": _down(),
    "cut-from-balancer": _down(),
    "black-hole": _down(),
    "reset": _down(),
    "slow": Symptom(says="a read takes 0.25 s and more", look=_waits, within=2, arm=MEMORY),
    "reply-lost": Symptom(
        says="an add fails, and is in the cart", look=_is_done_unanswered, within=2, arm=MEMORY
    ),
    "clock-skew": Symptom(
        says="it calls a fresh cart expired", look=_is_expired_there, within=2, arm=CARRIED
    ),
    "cut-from-store": _down(STORED),
    "cut-from-servers": Symptom(says="it sees no other server", look=_is_alone, within=4, arm=COPIED),
    "store-kill": _unavailable(),
    "store-freeze": _unavailable(),
    "store-restart": Symptom(
        says="the store counts from nothing", look=_counts_from_nothing, within=8, arm=STORED, stays=True
    ),
    "store-power-loss": _unavailable(
        _is_unavailable_after_adds, _has_lost_the_acknowledged, "; then an acknowledged add is gone"
    ),
    "store-full": Symptom(
        says="adds are refused, reads are not", look=_refuses_writes_only, within=3, arm=STORED
    ),
    "store-evicts": Symptom(
        says="carts are gone, and no error",
        look=_has_forgotten_carts,
        within=5,
        arm=STORED,
        stays=True,
        wants_crowd=True,
    ),
    "balancer-restart": Symptom(
        says="its table is empty", look=_has_forgotten_ties, within=8, arm=MEMORY, stays=True
    ),
}
