"""What a program that the lab starts is told by its environment."""

from __future__ import annotations

import os
import sysconfig
from pathlib import Path

import lab

#: What a program may need to know about this login; nothing else is passed on, so that no setting
#: of the user's shell (CART_*, LB_*, a proxy) can change what a run does.
_INHERITED = (
    *("PATH", "HOME", "TMPDIR", "LANG", "TZ"),
    *("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR"),
    *("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX"),
)
_INHERITED_PREFIXES = ("LC_", "COVERAGE_")


def inherited() -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in _INHERITED or name.startswith(_INHERITED_PREFIXES)
    }
    return {**kept, **with_our_code(), "PYTHONUNBUFFERED": "1"}


def with_our_code() -> dict[str, str]:
    """Let a Python child find the very code that runs here, also in a checkout that nobody installed."""
    ours = str(Path(lab.__file__).parents[1])
    given = os.environ.get("PYTHONPATH", "")
    # Site-packages must not come before the standard library, as PYTHONPATH does.
    is_installed = ours in (sysconfig.get_path("purelib"), sysconfig.get_path("platlib"))
    paths = [path for path in ("" if is_installed else ours, given) if path]
    return {"PYTHONPATH": os.pathsep.join(paths)} if paths else {}
