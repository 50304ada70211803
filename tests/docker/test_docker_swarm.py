"""Swarm, a real orchestrator: whole runs, and a site that grows, shrinks and loses a task under load."""

from __future__ import annotations

import json
import secrets
import signal
import socket
import subprocess
import threading
from typing import TYPE_CHECKING, Self

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.docker.conftest import CannotBeAsked, Lab, Run


#: A cart line holds 99 of a kind.
MOST_IN_A_CART = 90


class Stack:
    def __init__(self, docker: Callable[..., str], run: Run, name: str, port: int) -> None:
        self._docker, self._run = docker, run
        self.name = name
        self.front = f"http://127.0.0.1:{port}"

    def task(self, service: str) -> str:
        """The container of one running task; empty when there is none."""
        label = f"label=com.docker.swarm.service.name={self.name}_{service}"
        return self._docker("ps", "--quiet", "--filter", label).partition("\n")[0]

    def servers(self) -> set[str]:
        """Names of the servers that are up, as the balancer says; none while it does not answer."""
        ask = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9000/servers').read().decode())"
        answer = self._run("docker", "exec", self.task("lb"), "python3", "-c", ask)
        listed = json.loads(answer.stdout)["servers"] if answer.returncode == 0 else []
        return {server["name"] for server in listed if server["state"] == "up"}

    def scale(self, servers: int) -> None:
        self._docker("service", "scale", "--detach", f"{self.name}_cart={servers}")


def is_ready(stack: Stack) -> bool:
    try:
        return httpx.get(f"{stack.front}/ready", timeout=2).status_code == 200
    except httpx.TransportError:
        return False


QUICK = ("--swarm", "--fast", "--no-input", "--plain", "--shoppers", "60", "--seed", "11")
IN_A_SWARM = "this engine is in a swarm already, which the tests leave alone"


@pytest.fixture
def no_swarm(docker: Callable[..., str], images: tuple[str, ...], cannot_be_asked: CannotBeAsked) -> None:
    """Asked for only before ``swarm``, which stays to the end of this file."""
    if docker("info", "--format", "{{.Swarm.LocalNodeState}}") != "inactive":
        cannot_be_asked(IN_A_SWARM)


@pytest.mark.usefixtures("no_swarm")
def test_swarm_replaces_a_killed_server_and_both_stories_are_told(lab: Lab) -> None:
    code, said = lab.cartlab("run", "crash", *QUICK, "--servers", "2")
    assert code == 0, said
    results = json.loads((lab.folder / "results.json").read_text())
    sticky, stateless = (results["arms"][arm]["ledger"] for arm in ("sticky", "stateless"))
    assert sticky["carts"]["lost"] == sticky["at_risk"] > 0
    assert stateless["carts"]["lost"] == 0
    assert "--swarm" in results["repeat"]
    assert len(results["faults"]) == 2
    for fault in results["faults"]:
        assert fault["end"]
        arm, victim = fault["arm"], fault["target"]
        assert victim in results["arms"][arm]["topology"]["servers"]
        logs = {path.name for path in (lab.folder / "log").glob(f"{arm}-{victim}*.log")}
        assert len(logs) == 2, "of the one that died, and of the one that Swarm put in its place"
    assert "put a new task in the dead server's place" in said
    assert not lab.left_over()
    assert lab.swarm() == "inactive"


@pytest.mark.usefixtures("no_swarm")
def test_nothing_of_a_stack_outlives_a_driver_that_was_killed(
    lab: Lab, wait_until: Callable[..., None]
) -> None:
    driver = lab.start("run", "crash", *QUICK, "--arms", "sticky", "--servers", "2")
    assert driver.stdout
    for line in driver.stdout:
        if " fault " in line:
            break
    assert lab.left_over()
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    wait_until(lambda: lab.swarm() == "inactive", "the sweeper has left the swarm", within=90)
    assert not lab.left_over()
    logs = [path.read_text() for path in (lab.folder / "log").glob("sticky-server-*.log")]
    assert sum("listening" in log for log in logs) >= 2


@pytest.fixture(scope="module")
def swarm(
    docker: Callable[..., str], images: tuple[str, ...], cannot_be_asked: CannotBeAsked
) -> Iterator[None]:
    """A swarm of one node; one that this engine is already in is somebody's, and is left alone."""
    if docker("info", "--format", "{{.Swarm.LocalNodeState}}") != "inactive":
        cannot_be_asked(IN_A_SWARM)
    docker("swarm", "init", "--advertise-addr", "127.0.0.1")
    yield
    docker("swarm", "leave", "--force")


@pytest.mark.usefixtures("swarm")
def test_a_swarm_that_is_there_is_used_and_left_as_it_was(lab: Lab, docker: Callable[..., str]) -> None:
    strange = ("service", "create", "--detach", "--quiet", "--no-resolve-image", "--network", "host")
    theirs = docker(*strange, "cart-chaos-lab/cart", "sleep", "600")
    try:
        code, said = lab.cartlab("run", "calm", *QUICK, "--arms", "stateless", "--servers", "2")
        assert code == 0, said
        assert docker("service", "ls", "--quiet").split() == [theirs[:12]]
        assert not lab.left_over()
        assert lab.swarm() == "active"
    finally:
        docker("service", "rm", theirs)


@pytest.fixture
def stack(
    swarm: None, docker: Callable[..., str], run: Run, wait_until: Callable[..., None]
) -> Iterator[Stack]:
    name = f"cartlab-test-{secrets.token_hex(4)}"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    keys = [f"{name}-{key}" for key in ("cookies", "store")]
    for key in keys:
        subprocess.run(
            ["docker", "secret", "create", key, "-"],
            input=secrets.token_hex(32),
            text=True,
            check=True,
            capture_output=True,
        )
    words = (
        "docker",
        "stack",
        "deploy",
        "--resolve-image",
        "never",
        "--compose-file",
        "docker-stack.yml",
        name,
    )
    try:
        deployed = run(*words, STACK_KEYS=name, STACK_PORT=str(port))
        assert deployed.returncode == 0, deployed.stderr
        stack = Stack(docker, run, name, port)
        wait_until(lambda: is_ready(stack) and len(stack.servers()) == 3, "three servers are up", 90)
        yield stack
    finally:
        docker("stack", "rm", name)
        label = f"label=com.docker.stack.namespace={name}"
        wait_until(lambda: not docker("ps", "--all", "--quiet", "--filter", label), "all tasks are gone", 90)
        docker("secret", "rm", *keys)
        run("docker", "volume", "rm", f"{name}_carts")


class Unavailable(Exception):
    """No 200: whether anything was done is not known."""


class Load:
    """Shoppers who fill a cart each, then look at it again and again, and count what was acknowledged."""

    def __init__(self, front: str, phone: dict[str, object], shoppers: int = 4) -> None:
        self._front, self._phone = front, phone
        self._over = threading.Event()
        self.clients = [httpx.Client(timeout=15) for _ in range(shoppers)]
        self.acknowledged = [0] * shoppers
        self.unsure = [0] * shoppers
        self.read = [0] * shoppers
        self._threads = [threading.Thread(target=self._shop, args=(n,)) for n in range(shoppers)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _shop(self, shopper: int) -> None:
        while not self._over.wait(0.05):
            try:
                if self.acknowledged[shopper] < MOST_IN_A_CART:
                    self._add(shopper)
                else:
                    self.read[shopper] = self.held(shopper)
            except (httpx.TransportError, Unavailable):
                self.unsure[shopper] += 1

    def _add(self, shopper: int) -> None:
        key = {"Idempotency-Key": secrets.token_hex(8)}
        answer = self.clients[shopper].post(f"{self._front}/cart/add", json=self._phone, headers=key)
        if answer.status_code != 200:
            raise Unavailable
        self.acknowledged[shopper] += 1

    def held(self, shopper: int) -> int:
        answer = self.clients[shopper].get(f"{self._front}/cart")
        if answer.status_code != 200:
            raise Unavailable
        return sum(int(line["quantity"]) for line in answer.json()["cart"])


def test_a_site_that_grows_shrinks_and_loses_a_task_loses_no_cart(
    stack: Stack, docker: Callable[..., str], phone: dict[str, object], wait_until: Callable[..., None]
) -> None:
    with Load(stack.front, phone) as load:
        wait_until(lambda: all(load.acknowledged), "every shopper has a cart")
        stack.scale(6)
        wait_until(lambda: len(stack.servers()) == 6, "six servers are up", 90)
        before = stack.servers()
        docker("kill", stack.task("cart"))
        wait_until(lambda: stack.servers() - before and len(stack.servers()) == 6, "it was replaced", 90)
        stack.scale(2)
        wait_until(lambda: len(stack.servers()) == 2, "two servers are left", 90)
        wait_until(lambda: min(load.read) >= MOST_IN_A_CART, "everybody has read a full cart", 60)
    for shopper, acknowledged in enumerate(load.acknowledged):
        assert acknowledged <= load.held(shopper) <= acknowledged + load.unsure[shopper]
        load.clients[shopper].close()
