"""Who keeps the copies of a session: rendezvous hashing, so that everybody who asks gets one answer.

Each member gets a score for each session, and the highest keep the copies (Thaler and Ravishankar,
1998). When a member goes, only the sessions that it kept get another one.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def ranked(session: str, members: Iterable[str]) -> list[str]:
    """All members, the best first."""
    return sorted(members, key=lambda member: _score(session, member), reverse=True)


def _score(session: str, member: str) -> bytes:
    return hashlib.blake2b(f"{member} {session}".encode(), digest_size=8).digest()
