"""What this process itself may run out of: descriptors and ports. No server is to blame for that.

A balancer that took its own lack of descriptors for a failed check would, under a flood, take down one
well server after the other.
"""

from __future__ import annotations

import resource
from errno import EADDRNOTAVAIL, EMFILE, ENFILE
from typing import Final

_WANTED: Final = 20_000
#: The most that every macOS grants, however endless its hard limit looks.
_GRANTED_EVERYWHERE: Final = 10_240
_OURS: Final = frozenset({EMFILE, ENFILE, EADDRNOTAVAIL})


def is_ours(error: OSError) -> bool:
    """Whether a connect failed for want of something here, before a server could be asked."""
    return error.errno in _OURS


def raise_file_limit() -> None:
    """Raise the soft limit of open files, which workers inherit, as far as is wanted and granted."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in (_WANTED, _GRANTED_EVERYWHERE, hard):
        if hard != resource.RLIM_INFINITY and wanted > hard:
            continue
        if soft == resource.RLIM_INFINITY or wanted <= soft:
            return
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (ValueError, OSError):
            continue
        return
