"""Cart servers behind the real balancer: what their answers teach it."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.net.cart.conftest import CartServer, CartServers

    StartBalancer = Callable[..., httpx.Client]


@pytest.fixture
def start_balancer() -> Iterator[StartBalancer]:
    """Starts one over servers by name; a client of it that keeps no cookies."""
    with ExitStack() as stack:

        def start(servers: dict[str, CartServer], *flags: str) -> httpx.Client:
            named = [f"--server={name}={server.host}:{server.port}" for name, server in servers.items()]
            popen = subprocess.Popen(
                [sys.executable, "-m", "lb", "--listen", "127.0.0.1:0", *named, *flags],
                stdout=subprocess.PIPE,
                text=True,
            )
            stack.callback(popen.wait)
            stack.callback(popen.kill)
            assert popen.stdout
            stack.callback(popen.stdout.close)
            said = json.loads(popen.stdout.readline())
            return stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{said['port']}"))

        yield start


def new_session(client: httpx.Client) -> httpx.Cookies:
    client.cookies.clear()
    client.post("/cart/add", json={"item": "Pixel 9"}).raise_for_status()
    return httpx.Cookies(client.cookies)


def as_who_has(client: httpx.Client, cookies: httpx.Cookies) -> httpx.Client:
    client.cookies = httpx.Cookies(cookies)
    return client


@pytest.mark.parametrize("tie", ["learn", "cookie"])
def test_the_tie_follows_a_login(cart_servers: CartServers, start_balancer: StartBalancer, tie: str) -> None:
    """With carts in memory, a session that is sent elsewhere once shows an empty cart."""
    servers = {name: cart_servers.start("--id", name) for name in ("one", "two", "three")}
    client = start_balancer(servers, "--sticky", tie)
    for _ in range(6):
        new_session(client)
        home = client.get("/cart").headers["X-Served-By"]
        client.post("/login", json={"name": "Ada"}).raise_for_status()
        for _ in range(4):
            seen = client.get("/cart")
            assert (seen.headers["X-Served-By"], seen.json()["shopper"]) == (home, "Ada")
            assert len(seen.json()["cart"]) == 1
