"""How many files and connections a process may have open, and how many shoppers that is enough for."""

from __future__ import annotations

import resource

#: The balancer holds two connections for a shopper, the driver one; the rest is for everything else.
_FILES_A_SHOPPER = 2
_FILES_BESIDES = 200
_WANTED = 20_000
#: The most that every macOS grants, however endless its hard limit looks.
_GRANTED_EVERYWHERE = 10_240


def raise_file_limit() -> int:
    """Raise this process's soft limit, which its children inherit, and return what it is now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in (_WANTED, _GRANTED_EVERYWHERE, hard):
        if hard != resource.RLIM_INFINITY and wanted > hard:
            continue
        if wanted <= soft:
            break
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (ValueError, OSError):
            continue
        return wanted
    return soft


def shoppers_possible(files: int) -> int:
    return max(0, (files - _FILES_BESIDES) // _FILES_A_SHOPPER)
