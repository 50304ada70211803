"""What every ring shares."""

from __future__ import annotations

import os
import subprocess

import pytest


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def engine() -> None:
    """Skips where no Docker Engine with Compose v2 answers; with CARTLAB_DOCKER=required it fails."""
    for words in (("docker", "info"), ("docker", "compose", "version")):
        try:
            done = subprocess.run(words, capture_output=True, text=True, check=False)
            problem = (done.stderr or done.stdout) if done.returncode else ""
        except FileNotFoundError:
            problem = "there is no command docker"
        if problem:
            complaint = f"no Docker Engine with Compose v2 (scripts/docker-engine start): {problem[:200]}"
            required = os.environ.get("CARTLAB_DOCKER") == "required"
            pytest.fail(complaint) if required else pytest.skip(complaint)
