"""What a run ran on: a figure without its versions cannot be compared with another."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Package by the name that the report gives it.
PACKAGES = {
    "cartlab": "cart-chaos-lab",
    "fastapi": "fastapi",
    "uvicorn": "uvicorn",
    "uvloop": "uvloop",
    "httptools": "httptools",
    "aiohttp": "aiohttp",
    "redis-py": "redis",
    "rich": "rich",
}


def versions(store: str | None = None, below: Mapping[str, str] | None = None) -> dict[str, str]:
    """``store`` is its kind and version, as its site tells them; ``below`` is what containers ran on."""
    found = {"python": f"{platform.python_implementation()} {platform.python_version()}"}
    found |= {name: _installed(package) for name, package in PACKAGES.items()}
    found |= below or {}
    found["store"] = store or "none"
    found["os"] = f"{platform.system()} {platform.release()} {platform.machine()}"
    found["processors"] = str(os.cpu_count() or "unknown")
    return found


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
