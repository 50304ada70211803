"""What a lab does over its life: crash, heal, forget, end; and never to others on the same engine."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from tests.docker.conftest import NewProject, Project

ENDS_WITHIN = 5.0
#: What our own layers may add to the base image, whichever that is.
LAYERS_AT_MOST_MB = 80


def filled(shopper: httpx.Client, front: str, phone: dict[str, object]) -> str:
    """Put one phone into a new cart; who answered."""
    shopper.cookies.clear()
    answer = shopper.post(f"{front}/cart/add", json=phone)
    assert answer.status_code == 200
    return answer.headers["X-Served-By"]


def held(shopper: httpx.Client, front: str) -> int:
    answer = shopper.get(f"{front}/cart")
    assert answer.status_code == 200, answer.text
    return len(answer.json()["cart"])


def kill(docker: Callable[..., str], project: Project, arm: str, server: str) -> str:
    name = project.container(f"{arm}-{server.removeprefix('server-')}")
    docker("kill", name)
    project.until(arm, server, "down")
    return name


def test_a_killed_server_stays_dead_until_it_is_healed_and_only_memory_is_lost(
    new_project: NewProject, docker: Callable[..., str], shopper: httpx.Client, phone: dict[str, object]
) -> None:
    project = new_project()
    for arm, kept in (("sticky", 0), ("stateless", 1)):
        front = project.url(f"{arm}-lb", 8080)
        server = filled(shopper, front, phone)
        assert held(shopper, front) == 1
        dead = kill(docker, project, arm, server)
        assert held(shopper, front) == kept
        assert docker("inspect", "--format", "{{.State.Status}} {{.State.ExitCode}}", dead) == "exited 137"
        docker("start", dead)
        project.until(arm, server, "up")


def test_a_crash_asked_for_by_http_ends_the_container_with_the_server(
    new_project: NewProject,
    docker: Callable[..., str],
    shopper: httpx.Client,
    wait_until: Callable[..., None],
) -> None:
    project = new_project("sticky")
    front = project.url("sticky-lb", 8080)
    number = shopper.post(f"{front}/crash").headers["X-Served-By"].removeprefix("server-")
    status = ("inspect", "--format", "{{.State.Status}}", project.container(f"sticky-{number}"))
    wait_until(lambda: docker(*status) == "exited", "the crashed server's container ended")


def test_carts_outlive_the_store_where_it_keeps_a_log_and_only_there(
    new_project: NewProject, docker: Callable[..., str], shopper: httpx.Client, phone: dict[str, object]
) -> None:
    for appendonly, kept in (("yes", 1), ("no", 0)):
        project = new_project("stateless", STORE_APPENDONLY=appendonly)
        front = project.url("stateless-lb", 8080)
        filled(shopper, front, phone)
        docker("kill", "--signal", "TERM", project.container("store"))
        project.until("stateless", "server-1", "down")
        docker("start", project.container("store"))
        for server in ("server-1", "server-2", "server-3"):
            project.until("stateless", server, "up")
        assert held(shopper, front) == kept


def test_one_lab_ends_in_under_5_s_and_leaves_the_other_and_strangers_alone(
    new_project: NewProject, docker: Callable[..., str], shopper: httpx.Client, phone: dict[str, object]
) -> None:
    stranger = docker("run", "--detach", "--rm", "cart-chaos-lab/cart", "sleep", "300")
    try:
        ours, other = new_project("sticky,stateless"), new_project("stateless")
        front = other.url("stateless-lb", 8080)
        filled(shopper, front, phone)
        begun, busy = time.monotonic(), os.getloadavg()[0] / (os.cpu_count() or 1)
        ours.compose("down")
        took = time.monotonic() - begun
        assert not ours.compose("ps", "--all", "--quiet")
        assert held(shopper, front) == 1
        assert docker("inspect", "--format", "{{.State.Running}}", stranger) == "true"
        assert took < ENDS_WITHIN * max(1.0, busy), f"down took {took:.1f} s"
    finally:
        docker("kill", stranger)


def test_everything_obeys_sigterm_by_itself(new_project: NewProject) -> None:
    project = new_project()
    project.compose("stop")
    ended = {service: one["State"]["ExitCode"] for service, one in project.inspect().items()}
    assert ended == dict.fromkeys(ended, 0)


def test_our_own_layers_are_small(images: tuple[str, ...], docker: Callable[..., str]) -> None:
    base = json.loads(docker("image", "inspect", "python:3.13-slim-trixie"))[0]
    for image in images:
        one = json.loads(docker("image", "inspect", image))[0]
        assert one["RootFS"]["Layers"][: len(base["RootFS"]["Layers"])] == base["RootFS"]["Layers"]
        assert (one["Size"] - base["Size"]) / 1e6 < LAYERS_AT_MOST_MB
