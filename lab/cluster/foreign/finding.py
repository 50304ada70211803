"""Where HAProxy and nginx are on this machine."""

from __future__ import annotations

import os
import shutil

from lab.errors import EnvironmentProblem

#: Where Debian and macOS keep them, which is not on everybody's PATH.
_BESIDES = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin")


def find(program: str) -> str:
    """The path of ``program``; a refusal that says how to get it."""
    folders = [os.environ.get("PATH", os.defpath), *_BESIDES]
    found = shutil.which(program, path=os.pathsep.join(folders))
    if found is None:
        raise EnvironmentProblem(
            f"--lb {program} needs {program}, and there is none on PATH or in {', '.join(_BESIDES)}. "
            f"Debian, Ubuntu: sudo apt install {program}; macOS: brew install {program}. "
            "Without --lb the lab's own balancer is used."
        )
    return found
