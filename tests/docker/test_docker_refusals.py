"""What a lab in containers says on a machine that has not got what it needs: exit code 4, and what to do."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.docker.conftest import CannotBeAsked

    Refused = Callable[..., str]

AS_THE_LAB_DOES = (
    "import subprocess, sys, lab.cli; subprocess.run([sys.executable, '-c', 'import redis'], check=True)"
)
OLD_COMPOSE = "#!/bin/sh\necho 'docker: compose is not a docker command.' >&2\nexit 1\n"


@pytest.fixture
def refused(tmp_path: Path) -> Refused:
    """``cartlab run calm --docker`` with the given environment: what it says on its way out with code 4."""

    def run(*before: str, flag: str = "--docker", **settings: str) -> str:
        words = ("-P", "-m", "lab", "run", "calm", flag, "--no-input", "--runs", str(tmp_path / "runs"))
        done = subprocess.run(
            [*before, sys.executable, *words],
            env={**os.environ, "CARTLAB_STATE": str(tmp_path / "state"), **settings},
            capture_output=True, text=True, check=False, timeout=25, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == 4, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        assert not (tmp_path / "runs").exists()  # refused before anything began
        return done.stderr

    return run


def fake_docker(folder: Path, script: str) -> str:
    """A PATH on which ``docker`` is ``script``."""
    program = folder / "bin" / "docker"
    program.parent.mkdir()
    program.write_text(script)
    program.chmod(0o755)
    return f"{program.parent}:/usr/bin:/bin"


def compose_of(version: str) -> str:
    return f"#!/bin/sh\ncase $1 in compose) echo {version} ;; context) echo unix:///nowhere.sock ;; esac\n"


def test_without_the_command_it_says_how_to_get_it(refused: Refused, tmp_path: Path) -> None:
    said = refused(PATH=str(tmp_path))
    assert "command 'docker'" in said
    assert "scripts/docker-engine" in said


def test_without_compose_v2_it_says_so(refused: Refused, tmp_path: Path) -> None:
    assert "no Compose v2 plugin" in refused(PATH=fake_docker(tmp_path, OLD_COMPOSE))


def test_a_compose_that_is_too_old_is_named(refused: Refused, tmp_path: Path) -> None:
    said = refused(PATH=fake_docker(tmp_path, compose_of("2.3.4")))
    assert "this is 2.3.4" in said


def test_without_an_engine_it_says_which_was_asked(refused: Refused, tmp_path: Path) -> None:
    path = fake_docker(tmp_path, compose_of("2.26.1"))
    said = refused(PATH=path, DOCKER_HOST=f"unix://{tmp_path}/no.sock")
    assert f"unix://{tmp_path}/no.sock; none answered" in said
    assert "scripts/docker-engine start" in said


@pytest.fixture
def nobody(cannot_be_asked: CannotBeAsked) -> tuple[str, ...]:
    """The words before a command that make it somebody's who may use no socket of others."""
    if os.getuid() != 0:
        return ()
    if not shutil.which("setpriv"):
        cannot_be_asked("root may use every socket, and there is no setpriv to be somebody else")
    words = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    # Where Python lies in root's own folders: to read everything is not yet to write to a socket.
    reading = (*words, "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
    for way in (words, reading):
        tried = (*way, sys.executable, "-P", "-c", AS_THE_LAB_DOES)
        if subprocess.run(tried, cwd="/", capture_output=True, check=False).returncode == 0:
            return way
    return cannot_be_asked("root may use every socket, and nobody else may run this Python")


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """A folder that everybody may enter, as pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="cartlab-test-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_without_permission_it_names_the_group(
    refused: Refused, open_to_all: Path, nobody: tuple[str, ...]
) -> None:
    closed = open_to_all / "closed.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(closed))
        listening.listen()
        closed.chmod(0)
        path = fake_docker(open_to_all, compose_of("2.26.1"))
        said = refused(*nobody, PATH=path, DOCKER_HOST=f"unix://{closed}")
    assert "this user may not use its socket" in said
    assert "usermod -aG docker" in said


@pytest.mark.parametrize("flag", ["--docker", "--swarm"])
def test_who_may_not_use_the_engine_is_told_so_by_the_real_one(
    docker: Callable[..., str], refused: Refused, nobody: tuple[str, ...], flag: str
) -> None:
    if not nobody:
        pytest.skip("this user may use the engine")
    if subprocess.run([*nobody, "docker", "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("Compose lies where only root may read it")
    said = refused(*nobody, flag=flag)
    assert "this user may not use its socket" in said
    assert "usermod -aG docker" in said


def test_an_engine_on_another_machine_is_refused_with_the_reason(refused: Refused, tmp_path: Path) -> None:
    path = fake_docker(tmp_path, compose_of("2.26.1"))
    assert "on another machine" in refused(PATH=path, DOCKER_HOST="ssh://far.example")


def test_what_could_not_be_fetched_leads_to_the_offline_images() -> None:
    from lab.cluster.compose.command import why_up_failed  # noqa: PLC0415 - beside its only use

    line = "failed to solve: python:3.13-slim: failed to do request: dial tcp: lookup registry: no such host"
    assert "scripts/offline-images" in why_up_failed(["#1 building", line])
    assert "scripts/offline-images" not in why_up_failed(["network pool exhausted"])
