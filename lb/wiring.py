"""From settings to the one object that routes: which tie, which balance, over which pool."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lb.affinity import HashSticky
from lb.backed import BackedSticky
from lb.balance import ALGORITHMS, HASH
from lb.cookie import CookieForm, CookieSticky
from lb.keys import Keys
from lb.learned import Learned
from lb.places import Places
from lb.pool import Pool
from lb.route import Routing
from lb.sticky import LearnSticky, NoSticky

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from lb.settings import Settings
    from lb.sticky import Sticky


def routing_of(settings: Settings, clock: Callable[[], float], lots: Random) -> Routing:
    """``clock`` gives Unix time; ``lots`` are drawn by a balance at random."""
    pool = Pool(clock, all_backups=settings.allbackups)
    places = Places(settings.hash_type, settings.hash_balance_factor, pool)
    keys = Keys(settings.hash_key, settings.sticky_cookie)
    sticky = _sticky(settings, pool, clock, HashSticky(keys, places, settings.failover))
    balance = ALGORITHMS[settings.balance](lots, places)
    hashed = keys if settings.balance == HASH else None
    return Routing(pool, sticky, balance, settings.failover, hashed, trusts=bool(settings.trust))


def _sticky(settings: Settings, pool: Pool, clock: Callable[[], float], by_hash: HashSticky) -> Sticky:
    match settings.sticky:
        case "learn":
            table = Learned(settings.session_ttl, settings.table_size)
            if settings.prefer_backup:
                return BackedSticky(settings.sticky_cookie, table, settings.failover, pool)
            return LearnSticky(settings.sticky_cookie, table, settings.failover)
        case "cookie":
            session = settings.sticky_cookie
            return CookieSticky(_form(settings), pool, settings.failover, clock, app_cookie=session)
        case "hash":
            return by_hash
        case _:
            return NoSticky()


def _form(settings: Settings) -> CookieForm:
    return CookieForm(
        name=settings.cookie_name,
        max_age=settings.max_age,
        max_idle=settings.maxidle,
        max_life=settings.maxlife,
        secure=settings.cookie_secure,
        preserve=settings.cookie_preserve,
        secret=settings.cookie_secret.encode() if settings.cookie_value == "opaque" else b"",
    )
