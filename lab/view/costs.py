"""What an arm cost, in one line: CPU seconds by program, and memory. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.timeline import Costed

_MEGABYTE = 1_000_000


def words(costed: Costed) -> str:
    """``104.2 s of CPU in 56.0 s: servers 60.1 s (300 us a request), ...``, the dearest first."""
    each = (
        f"{who} {seconds:.1f} s ({1e6 * seconds / max(costed.requests, 1):.0f} us a request)"
        for who, seconds in costed.cpu.items()
    )
    return (
        f"{sum(costed.cpu.values()):.1f} s of CPU in {costed.seconds:.1f} s for "
        f"{costed.requests:,} requests: {', '.join(each)}; {costed.memory / _MEGABYTE:,.0f} MB at most"
    )
