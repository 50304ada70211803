"""How long an act stands still for eyes: not at all, a moment, or until somebody presses Enter."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


@dataclass(frozen=True, slots=True)
class Pace:
    """``wait_for_enter`` is None unless a teacher sets the pace with ``--step``."""

    fast: bool = False
    wait_for_enter: Callable[[str], Awaitable[None]] | None = None

    async def look(self, seconds: float) -> None:
        """Leave the screen as it is for a while; a fast run, and a stepped one, go straight on."""
        if not self.fast and self.wait_for_enter is None:
            await asyncio.sleep(seconds)

    async def before(self, act: str) -> None:
        if self.wait_for_enter is not None:
            await self.wait_for_enter(f"Enter: {act}")
