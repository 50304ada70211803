"""Is this machine ready? Each check yields findings; each finding says what is so, and what to do.

``bad`` stops some command from working, ``warn`` makes one less than it could be.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from lab.cluster import leftovers, loopback
from lab.cluster.errors import NoStore
from lab.cluster.limits import raise_file_limit, shoppers_possible
from lab.cluster.registry import Registry
from lab.cluster.store_binary import WAYS_TO_GET_ONE, find_binary

if TYPE_CHECKING:
    from collections.abc import Iterator

OLDEST_PYTHON = (3, 11)
NEWEST_TESTED_PYTHON = (3, 13)
PORTS = {8080: "--port", 8404: "--admin-port"}
SCREEN = (100, 30)
DEFAULT_SHOPPERS = 300
MANY_SHOPPERS = 5000
_VERSION_WITHIN = 5.0


class Level(StrEnum):
    OK = "ok"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    level: Level
    about: str
    says: str
    fix: str = ""


def examine() -> Iterator[Finding]:
    registry = Registry()
    yield python(sys.version_info[:2])
    yield store_binary()
    for port, flag in PORTS.items():
        yield listening_port(port, flag, registry)
    yield file_limit(raise_file_limit())
    yield terminal(
        shutil.get_terminal_size(),
        is_terminal=sys.stdout.isatty(),
        no_color=bool(os.environ.get("NO_COLOR")),
    )
    yield from left_over(registry)


def python(version: tuple[int, ...]) -> Finding:
    shown = ".".join(map(str, version))
    if version < OLDEST_PYTHON:
        return Finding(Level.BAD, "python", f"{shown} is too old", "install Python 3.11 or newer")
    if version > NEWEST_TESTED_PYTHON:
        return Finding(Level.WARN, "python", f"{shown} is newer than what was tested", "try it, or use 3.13")
    return Finding(Level.OK, "python", shown)


def store_binary() -> Finding:
    try:
        binary = find_binary()
        version = subprocess.run(
            [binary.path, "--version"], capture_output=True, text=True, timeout=_VERSION_WITHIN, check=True
        ).stdout.strip()
    except NoStore:
        return Finding(Level.BAD, "store", "no Redis or Valkey found", WAYS_TO_GET_ONE)
    except (OSError, subprocess.SubprocessError) as problem:
        return Finding(Level.BAD, "store", f"it cannot be run: {problem}", WAYS_TO_GET_ONE)
    return Finding(Level.OK, "store", f"{version.split(' sha=')[0]} ({binary})")


def listening_port(port: int, flag: str, registry: Registry) -> Finding:
    about = f"port {port}"
    if loopback.is_free(port):
        return Finding(Level.OK, about, "free")
    if site := registry.site_on(port):
        return Finding(Level.OK, about, f"used by your own {site.name} site")
    holder = loopback.owner(port) or "a process this user may not see"
    return Finding(Level.WARN, about, f"taken by {holder}", f"end that, or use: cartlab up {flag} N")


def file_limit(files: int) -> Finding:
    shoppers = shoppers_possible(files)
    says = f"{files} open files, enough for {shoppers} shoppers"
    if shoppers >= MANY_SHOPPERS:
        return Finding(Level.OK, "file limit", says)
    level = Level.WARN if shoppers >= DEFAULT_SHOPPERS else Level.BAD
    return Finding(level, "file limit", says, "raise the hard limit: ulimit -Hn, or your container's nofile")


def terminal(size: tuple[int, int], *, is_terminal: bool, no_color: bool) -> Finding:
    colours = ", without colours as NO_COLOR asks" if no_color else ""
    if not is_terminal:
        return Finding(
            Level.WARN, "terminal", f"none: runs print line by line{colours}", "run it in a terminal"
        )
    says = f"{size[0]}x{size[1]}{colours}"
    if size[0] < SCREEN[0] or size[1] < SCREEN[1]:
        fix = f"enlarge it to {SCREEN[0]}x{SCREEN[1]} or more; until then runs print line by line"
        return Finding(Level.WARN, "terminal", f"{says} is too small for the screen", fix)
    return Finding(Level.OK, "terminal", says)


def left_over(registry: Registry) -> Iterator[Finding]:
    found = leftovers.find(registry)
    for leftover in found:
        yield Finding(Level.WARN, "left over", str(leftover), "cartlab down")
    if not found:
        yield Finding(Level.OK, "left over", "nothing")
