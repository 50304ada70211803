"""The lab in containers as a user starts it: its story, its end, and what it leaves alone."""

from __future__ import annotations

import json
import secrets
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.docker.conftest import Lab

    Docker = Callable[..., str]
    WaitUntil = Callable[..., None]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.usefixtures("images")]
QUICK = ("--docker", "--fast", "--no-input", "--plain", "--shoppers", "60", "--seed", "11")


@contextmanager
def container(docker: Docker, *flags: str) -> Iterator[str]:
    """One that runs for as long as it is let."""
    words = ("run", "--detach", "--rm", *flags, "cart-chaos-lab/cart", "sleep", "600")
    name = docker(*words)
    try:
        yield name
    finally:
        docker("rm", "--force", name)


def runs(docker: Docker, name: str) -> bool:
    return docker("inspect", "--format", "{{.State.Running}}", name) == "true"


def test_both_stories_are_told_by_containers_and_nothing_is_left(lab: Lab, docker: Docker) -> None:
    with container(docker, "--label", "cartlab.arm=sticky") as strange:
        code, said = lab.cartlab("run", "crash", *QUICK)
        assert code == 0, said
        assert runs(docker, strange)
    results: dict[str, Any] = json.loads((lab.folder / "results.json").read_text())
    sticky, stateless = (results["arms"][arm]["ledger"] for arm in ("sticky", "stateless"))
    assert sticky["carts"]["lost"] == sticky["at_risk"] > 0
    assert stateless["carts"]["lost"] == 0
    assert "--docker" in results["repeat"]
    assert results["versions"]["docker engine"] == docker("version", "--format", "{{.Server.Version}}")
    assert results["versions"]["docker compose"] == docker("compose", "version", "--short")
    assert all(fault["end"] for fault in results["faults"])
    logs = {path.name for path in (lab.folder / "log").iterdir()}
    assert {"sticky-lb.log", "sticky-server-1.log", "stateless-server-3.log", "stateless-store.log"} <= logs
    assert "listening" in (lab.folder / "log" / "sticky-server-1.log").read_text()
    assert not lab.left_over()


def test_nothing_outlives_a_driver_that_was_killed(lab: Lab, wait_until: WaitUntil) -> None:
    driver = lab.start("run", "crash", *QUICK, "--arms", "sticky", "--fault", "pause")
    assert driver.stdout
    for line in driver.stdout:
        if " fault " in line:
            break
    assert lab.containers()
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    wait_until(lambda: not lab.left_over(), "the sweeper has removed it all", within=60)
    for name in ("sticky-lb", "sticky-server-1", "sticky-server-3"):
        assert "listening" in (lab.folder / "log" / f"{name}.log").read_text()


def test_a_driver_killed_while_it_starts_leaves_nothing(lab: Lab, wait_until: WaitUntil) -> None:
    driver = lab.start("run", "calm", *QUICK, "--arms", "sticky")
    wait_until(lab.containers, "the first container is there", within=60)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    # The engine finishes what it was told to create, so it must stay away, not only go.
    looks = iter([False] * 5)
    wait_until(lambda: not lab.left_over() and next(looks, True), "the sweeper has removed it all", within=60)


def leave_behind(docker: Docker, *flags: str) -> None:
    """A container that is frozen and cut off from its network, and that network."""
    network = f"cartlab-test-{secrets.token_hex(4)}"
    docker("network", "create", "--internal", *flags, network)
    left = docker("run", "--detach", "--network", network, *flags, "cart-chaos-lab/cart", "sleep", "600")
    docker("network", "disconnect", network, left)
    docker("pause", left)


@pytest.mark.parametrize(
    "words", [("down", "--docker"), ("run", "calm", *QUICK, "--arms", "sticky")], ids=["down", "next-run"]
)
def test_what_dead_runs_left_is_removed_and_nothing_else_is_touched(
    lab: Lab, docker: Docker, words: tuple[str, ...]
) -> None:
    ours = ("--label", f"cartlab.registry={lab.registry}", "--label", "cartlab.run=dead")
    others = ("--label", "cartlab.registry=/somebody/else", "--label", "cartlab.run=dead")
    with (
        container(docker, *others, "--label", "cartlab.arm=sticky") as of_another_user,
        container(docker, "--label", "cartlab.arm=sticky") as by_hand,
    ):
        leave_behind(docker, *ours)
        assert len(lab.left_over()) == 2
        code, said = lab.cartlab(*words)
        assert code == 0, said
        assert ("Cleaned what a dead run left: run dead in containers" in said) == (words[0] == "down")
        assert not lab.left_over()
        assert runs(docker, of_another_user)
        assert runs(docker, by_hand)


def test_what_names_no_run_is_nobodys_and_stops_no_command(lab: Lab, docker: Docker) -> None:
    with container(docker, "--label", f"cartlab.registry={lab.registry}") as unnamed:
        for words in (("doctor", "--docker"), ("down", "--docker")):
            code, said = lab.cartlab(*words)
            assert code == 0, said
        assert runs(docker, unnamed)


def test_two_labs_on_one_engine_do_not_meet(lab: Lab, docker: Docker, tmp_path: Path) -> None:
    words = ("run", "calm", *QUICK, "--arms", "sticky", "--servers", "2")
    first, second = lab.start(*words, "--runs", "a"), lab.start(*words, "--runs", "b")
    for popen in (first, second):
        said, _ = popen.communicate(timeout=500)
        assert popen.returncode == 0, said
    assert not lab.left_over()


def test_a_project_name_is_honoured_and_never_shared(lab: Lab, docker: Docker) -> None:
    label = "com.docker.compose.project=cartlab-test-taken"
    with container(docker, "--label", label) as taken:
        popen = lab.start("run", "calm", *QUICK, COMPOSE_PROJECT_NAME="cartlab-test-taken")
        said, _ = popen.communicate(timeout=100)
        assert popen.returncode == 4, said
        assert "names a project that has 1 containers already" in said
        assert runs(docker, taken)
