"""The ``docker`` command line: what is there, which engine it means, and Compose's own part of the work."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import lab
from lab.errors import EnvironmentProblem

#: Compose reads labels, JSON configuration and resource limits as we write them from here on.
OLDEST_COMPOSE = (2, 17)
_ANSWERS_WITHIN = 20.0
_PROJECT = "cart-chaos-lab"
_BASE = "cart-chaos-lab/base"
#: What the base image is made from; its label says of which state, in scripts/offline-images as well.
_BASE_SOURCES = ("Dockerfile", "scripts/ready.py", "requirements/serve.txt")
_BASE_LABEL = "cartlab.base"
_INSTALL = "Install Docker with Compose v2 (on a bare Debian, as root: scripts/docker-engine start)."
#: What the engine and Compose say when something could not be fetched.
_NOT_FETCHED = re.compile(
    r"no such host|dial tcp|i/o timeout|failed to do request|failed to resolve|pull access denied|"
    r"manifest unknown|toomanyrequests|No such image|TLS handshake|Could not fetch|failed to solve",
    re.IGNORECASE,
)


class NoDocker(EnvironmentProblem):
    pass


def repository() -> Path:
    """The checkout that holds ``docker-compose.yml`` and what the images are built from."""
    root = Path(lab.__file__).parents[1]
    if not (root / "docker-compose.yml").exists():
        raise NoDocker(
            f"The lab in containers is built from its repository; {root} holds no docker-compose.yml. "
            "Clone the repository and run ./cartlab there."
        )
    return root


def check() -> str:
    """Refuse a machine without the command or without a Compose that is new enough; its version."""
    if not shutil.which("docker"):
        raise NoDocker(f"Looked for the command 'docker' on PATH and found none. {_INSTALL}")
    done = _docker("compose", "version", "--short")
    found = re.match(r"v?(\d+)\.(\d+)", done.stdout.strip())
    wanted = ".".join(map(str, OLDEST_COMPOSE))
    if done.returncode or not found:
        raise NoDocker(
            f"'docker compose version' should name Compose {wanted} or newer; it said: "
            f"{_first_line(done)}. This Docker has no Compose v2 plugin. {_INSTALL}"
        )
    if (int(found[1]), int(found[2])) < OLDEST_COMPOSE:
        raise NoDocker(f"Compose {wanted} or newer is needed; this is {done.stdout.strip()}. {_INSTALL}")
    return done.stdout.strip()


def engine_address() -> str:
    """Which engine the command line means: ``DOCKER_HOST``, or the current context's."""
    if given := os.environ.get("DOCKER_HOST"):
        return given
    done = _docker("context", "inspect", "--format", "{{.Endpoints.docker.Host}}")
    return done.stdout.strip() or "unix:///var/run/docker.sock"


def pattern(name: str = "docker-compose.yml") -> dict[str, Any]:
    """One of the repository's Compose files, resolved, with every site in it."""
    root = repository()
    done = _docker(
        *("compose", "--file", str(root / name), "--profile", "sticky"),
        *("--profile", "stateless", "config", "--format", "json"),
    )
    if done.returncode:
        raise NoDocker(f"'docker compose config' should resolve {name}; {done.stderr.strip()}")
    resolved: dict[str, Any] = json.loads(done.stdout)
    return resolved


def up_command(file: Path) -> list[str]:
    words = ["docker", "compose", "--project-directory", str(repository()), "--file", str(file)]
    return [*words, "--progress", "plain", "up", "--detach", "--quiet-pull"]


def build_command() -> list[str]:
    """Both images, from the sources as they are now: quick where nothing has changed."""
    root = repository()
    # Compose writes the project's name into an image: with another one each time, no two would be the same.
    words = ["docker", "compose", "--project-name", _PROJECT, "--file", str(root / "docker-compose.yml")]
    words += ["--profile", "sticky", "--progress", "plain", "build", *_on_base(root)]
    return [*words, "sticky-lb", "keys"]


def _on_base(root: Path) -> list[str]:
    """On the base that scripts/offline-images made: an image from a file brings no build cache with it.

    Not where somebody names a base, nor on one from other sources: that would hide a changed dependency.
    """
    if os.environ.get("BASE_IMAGE") or os.environ.get("PYTHON_IMAGE"):
        return []
    wanted = hashlib.sha256(b"".join((root / name).read_bytes() for name in _BASE_SOURCES)).hexdigest()
    label = f'{{{{index .Config.Labels "{_BASE_LABEL}"}}}}'
    found = _docker("image", "inspect", "--format", label, _BASE)
    return ["--build-arg", f"BASE={_BASE}"] if found.stdout.strip() == wanted else []


def deploy_command(file: Path, stack: str) -> list[str]:
    return ["docker", "stack", "deploy", "--compose-file", str(file), "--resolve-image", "never", stack]


def why_up_failed(last_lines: list[str]) -> str:
    if any(_NOT_FETCHED.search(line) for line in last_lines):
        return (
            "it could not fetch or build what it needs. With a network and a registry, 'docker compose "
            "build' says more; without one, scripts/offline-images makes every image on this machine, or "
            "loads them from a file"
        )
    return "what it said is below"


def _docker(*words: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["docker", *words], capture_output=True, text=True, timeout=_ANSWERS_WITHIN, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise NoDocker(f"'docker {' '.join(words[:2])}' could not be run: {problem}. {_INSTALL}") from None


def _first_line(done: subprocess.CompletedProcess[str]) -> str:
    lines = (done.stderr or done.stdout).strip().splitlines()
    return lines[0] if lines else "nothing"
