"""A workshop room without a network: an engine that can reach nothing runs the lab, and builds it again."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.docker.conftest import CannotBeAsked, Run


class LonelyEngine(NamedTuple):
    address: str
    pid: int


@pytest.fixture
def lonely_engine(
    docker: Callable[..., str], run: Run, wait_until: Callable[..., None], cannot_be_asked: CannotBeAsked
) -> Iterator[LonelyEngine]:
    """A second engine, in a network namespace with nothing but a loopback."""
    if os.geteuid() != 0 or not shutil.which("dockerd") or not shutil.which("unshare"):
        cannot_be_asked("a second engine without a network needs root, dockerd and unshare")
    # A unix socket's path has room for about a hundred characters; pytest's own folders are longer.
    folder = Path(tempfile.mkdtemp(prefix="engine-", dir="/tmp"))
    address = f"unix://{folder}/sock"
    places = f"--data-root {folder}/data --exec-root {folder}/exec --pidfile {folder}/pid --host {address}"
    with (folder / "log").open("w") as log:
        engine = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", f"ip link set lo up; exec dockerd {places}"],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
        )
    try:
        wait_until(
            lambda: run("docker", "info", DOCKER_HOST=address).returncode == 0 or engine.poll(),
            "the second engine answers",
            60,
        )
        assert engine.poll() is None, (folder / "log").read_text()[-2000:]
        yield LonelyEngine(address, engine.pid)
    finally:
        engine.terminate()
        engine.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.timeout(600)
def test_packed_images_start_the_lab_and_build_it_again_with_no_network(
    lonely_engine: LonelyEngine, images: tuple[str, ...], run: Run, tmp_path: Path
) -> None:
    def must(*words: str, **settings: str) -> str:
        done = run(*words, DOCKER_HOST=lonely_engine.address, **settings)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    packed = str(tmp_path / "lab.tar.gz")
    assert run("scripts/offline-images", "save", packed).returncode == 0
    must("scripts/offline-images", "load", packed)
    within = ("nsenter", "--target", str(lonely_engine.pid), "--net", sys.executable, "-P", "-m", "lab")
    quick = ("--docker", "--fast", "--no-input", "--plain", "--shoppers", "30", "--seed", "11")
    must(*within, "run", "crash", *quick, "--runs", str(tmp_path), CARTLAB_STATE=str(tmp_path / "state"))
    compose = ("docker", "compose", "--project-name", "cartlab-test-offline")
    must(*compose, "build", BASE_IMAGE="cart-chaos-lab/base")
    must(*compose, "up", "--detach", "--wait", "--wait-timeout", "120")
    healths = must(*compose, "ps", "--format", "{{.Health}}").split()
    assert healths == ["healthy"] * 9
    must(*compose, "down", "--volumes")


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ([], 2, "expected build, save FILE or load FILE"),
        (["save"], 2, "expected"),
        (["load", "/nowhere/lab.tar.gz"], 4, "cannot be read"),
    ],
)
def test_wrong_words_are_refused_with_the_right_ones(
    docker: Callable[..., str], run: Run, words: list[str], code: int, says: str
) -> None:
    refused = run("scripts/offline-images", *words)
    assert (refused.returncode, says in refused.stderr) == (code, True), refused.stderr


def test_without_an_engine_the_next_step_is_named(run: Run) -> None:
    refused = run("scripts/offline-images", "build", DOCKER_HOST="unix:///nowhere/docker.sock")
    assert refused.returncode == 4
    assert "scripts/docker-engine start" in refused.stderr


def test_an_engine_that_answers_is_used_and_never_stopped(docker: Callable[..., str], run: Run) -> None:
    before = docker("info", "--format", "{{.ID}}")
    assert run("scripts/docker-engine", "start").returncode == 0
    if "not started here" in run("scripts/docker-engine", "status").stdout:
        assert "nothing to stop" in run("scripts/docker-engine", "stop").stdout
    assert docker("info", "--format", "{{.ID}}") == before
