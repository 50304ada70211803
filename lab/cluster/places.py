"""Where a run puts what only lives as long as it does."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

#: macOS allows 103 bytes for a socket's path; the den's name and what lies inside need the rest.
_LONGEST_ROOT = 60


def state_root() -> Path:
    """The registry: ``CARTLAB_STATE``, else the login's runtime folder, else beside temporary files."""
    if given := os.environ.get("CARTLAB_STATE"):
        return Path(given)
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if os.access(runtime, os.W_OK):  # after `su` it still names the other user's
        return Path(runtime) / "cartlab"
    return _temporary_root() / f"cartlab-{os.getuid()}"


def new_den() -> Path:
    """A name that nobody has or can guess, short enough for sockets inside; nothing is made yet."""
    root = _temporary_root()
    if len(os.fsencode(root)) > _LONGEST_ROOT:
        root = Path("/tmp")  # noqa: S108 - the den will be ours alone, wherever it stands
    return root / f"cartlab-{secrets.token_hex(5)}"


def _temporary_root() -> Path:
    # Not tempfile.gettempdir(): it tries the folder out with a file, and whoever is killed in that
    # moment leaves it behind. Ten random kills of a driver were enough to find one.
    return Path(os.environ.get("TMPDIR") or "/tmp").absolute()  # noqa: S108 - the system's own default
