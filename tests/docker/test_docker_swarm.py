"""The stateless site on Swarm, a real orchestrator: it grows, shrinks and loses a task under load."""

from __future__ import annotations

import json
import secrets
import socket
import subprocess
import threading
from typing import TYPE_CHECKING, Self

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.docker.conftest import Run


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


@pytest.fixture(scope="module")
def swarm(docker: Callable[..., str], images: tuple[str, ...]) -> Iterator[None]:
    """A swarm of one node; one that this engine is already in is somebody's, and is left alone."""
    if docker("info", "--format", "{{.Swarm.LocalNodeState}}") != "inactive":
        pytest.skip("this engine is in a swarm already, which the tests leave alone")
    docker("swarm", "init", "--advertise-addr", "127.0.0.1")
    yield
    docker("swarm", "leave", "--force")


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
