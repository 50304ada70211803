"""The ring of containers: on the engine that answers, in projects of its own, on free ports.

Without an engine it is skipped and says so; where CARTLAB_DOCKER is ``required``, as in CI, it fails.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shlex
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    NewProject = Callable[..., "Project"]
    Run = Callable[..., subprocess.CompletedProcess[str]]
    CannotBeAsked = Callable[[str], NoReturn]

HOUSE = Path(__file__).parents[2]
IMAGES = ("cart-chaos-lab/cart", "cart-chaos-lab/lb")
BASES = ("python:3.13-slim-trixie", "valkey/valkey:8.1-alpine")
PHONE = {"item": "iPhone 15", "price": 1200}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first test pays for the images, a minute; those of this ring may take longer than others."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(300))


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words, cwd=HOUSE, env=os.environ | environment, capture_output=True, text=True, check=False
    )


def must(*words: str, **environment: str) -> str:
    done = run(*words, **environment)
    assert done.returncode == 0, (
        f"{shlex.join(words)}: exit code {done.returncode}\n{done.stdout}{done.stderr}"
    )
    return done.stdout.strip()


def wait_until(condition: Callable[[], object], what: str, within: float = 90.0) -> None:
    end = time.monotonic() + within
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"waited {within:g} s in vain until {what}")
        time.sleep(0.1)


@pytest.fixture(scope="session")
def cannot_be_asked() -> CannotBeAsked:
    """``cannot_be_asked(why)`` skips a test; where Docker is required, as in CI, root on Linux fails."""

    def end(why: str) -> NoReturn:
        if os.environ.get("CARTLAB_DOCKER") == "required" and sys.platform == "linux" and os.geteuid() == 0:
            pytest.fail(f"required by CARTLAB_DOCKER, and {why}")
        pytest.skip(why)

    return end


@pytest.fixture(scope="session", name="docker")
def _docker() -> Callable[..., str]:
    """``docker WORDS``: what it prints, once it ended well."""
    is_required = os.environ.get("CARTLAB_DOCKER") == "required"
    try:
        problem = run("docker", "compose", "ls").stderr or run("docker", "info").stderr
        answers = (
            run("docker", "info").returncode == 0 and run("docker", "compose", "version").returncode == 0
        )
    except FileNotFoundError:
        problem, answers = "there is no command docker", False
    if not answers:
        complaint = f"no Docker Engine with Compose v2 answers (scripts/docker-engine start): {problem[:200]}"
        pytest.fail(complaint) if is_required else pytest.skip(complaint)
    return lambda *words: must("docker", *words)


@pytest.fixture(scope="session")
def images(docker: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """All that Compose needs, built once by whichever worker comes first."""
    with (tmp_path_factory.getbasetemp().parent / "images.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for base in BASES:
            if run("docker", "image", "inspect", base).returncode:
                run("docker", "pull", "--quiet", base)
        must("scripts/offline-images", "build")
    return IMAGES


@dataclass
class Project:
    """One lab on the engine, beside whatever else runs there."""

    profiles: str
    settings: dict[str, str] = field(default_factory=dict)
    name: str = field(default_factory=lambda: f"cartlab-test-{secrets.token_hex(4)}")

    def compose(self, *words: str) -> str:
        ports = {f"{arm}_{port}": "0" for arm in ("STICKY", "STATELESS") for port in ("PORT", "ADMIN_PORT")}
        mine = {"COMPOSE_PROJECT_NAME": self.name, "COMPOSE_PROFILES": self.profiles}
        return must("docker", "compose", *words, **(ports | mine | self.settings))

    def container(self, service: str) -> str:
        return f"{self.name}-{service}-1"

    def inspect(self) -> dict[str, dict[str, Any]]:
        """Service -> what the engine knows of its container."""
        names = self.compose("ps", "--all", "--quiet").split()
        found = json.loads(must("docker", "inspect", *names))
        return {one["Config"]["Labels"]["com.docker.compose.service"]: one for one in found}

    def url(self, service: str, port: int) -> str:
        return f"http://{self.compose('port', service, str(port))}"

    def state_of(self, arm: str, server: str) -> str:
        """What the arm's balancer says."""
        listed = httpx.get(f"{self.url(f'{arm}-lb', 9000)}/servers").json()["servers"]
        return str(next(one["state"] for one in listed if one["name"] == server))

    def until(self, arm: str, server: str, state: str) -> None:
        wait_until(lambda: self.state_of(arm, server) == state, f"{arm} {server} is {state}")

    def ask(self, service: str, script: str) -> str:
        """Run a line of Python in a container."""
        return must("docker", "exec", self.container(service), "python3", "-c", script)


@dataclass
class Lab:
    """``cartlab`` with a registry and a folder of runs that nobody else has."""

    home: Path
    docker: Callable[..., str]
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def registry(self) -> Path:
        return self.home / "state"

    def start(self, *words: str, **settings: str) -> subprocess.Popen[str]:
        popen = subprocess.Popen(
            [sys.executable, "-P", "-m", "lab", *words],
            env={**os.environ, "CARTLAB_STATE": str(self.registry), **settings},
            cwd=self.home, text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self.started.append(popen)
        return popen

    def cartlab(self, *words: str) -> tuple[int, str]:
        popen = self.start(*words)
        said, _ = popen.communicate(timeout=500)
        return popen.returncode, said

    def containers(self) -> list[str]:
        return self._ours("ps", "--all", "--format", "{{.Names}}")

    def left_over(self) -> list[str]:
        name = ("--format", "{{.Name}}")
        of_swarm = ("service", "secret") if self.swarm() == "active" else ()
        kinds = ("network", "volume", *of_swarm)
        return [*self.containers(), *(found for kind in kinds for found in self._ours(kind, "ls", *name))]

    def swarm(self) -> str:
        """``active`` or ``inactive``."""
        return self.docker("info", "--format", "{{.Swarm.LocalNodeState}}")

    @property
    def folder(self) -> Path:
        return (self.home / "runs" / "latest").resolve()

    def _ours(self, *words: str) -> list[str]:
        return self.docker(*words, "--filter", f"label=cartlab.registry={self.registry}").split()


@pytest.fixture
def lab(docker: Callable[..., str], tmp_path: Path) -> Iterator[Lab]:
    lab = Lab(tmp_path, docker)
    yield lab
    for popen in lab.started:
        popen.kill()
        popen.communicate()
    lab.cartlab("down", "--docker")


@contextmanager
def _projects() -> Iterator[NewProject]:
    with ExitStack() as stack:

        def new(profiles: str = "sticky,stateless", **settings: str) -> Project:
            project = Project(profiles, settings)
            stack.callback(project.compose, "down", "--volumes", "--timeout", "3")
            project.compose("up", "--detach", "--wait", "--wait-timeout", "120")
            return project

        yield new


@pytest.fixture
def new_project(images: tuple[str, ...]) -> Iterator[NewProject]:
    """``new_project("sticky", SETTING="value")``: one that is up and healthy, and goes with the test."""
    with _projects() as new:
        yield new


@pytest.fixture(scope="module")
def both_arms(images: tuple[str, ...]) -> Iterator[Project]:
    """For tests that leave it as they found it."""
    with _projects() as new:
        yield new()


@pytest.fixture
def shopper() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=10) as client:
        yield client


@pytest.fixture(name="run")
def _run() -> Run:
    """``run(*WORDS, NAME="value")``: a command in the house, to its end, whatever that is."""
    return run


@pytest.fixture(name="wait_until")
def _wait_until() -> Callable[..., None]:
    return wait_until


@pytest.fixture(name="phone")
def _phone() -> dict[str, object]:
    return dict(PHONE)
