"""Cart servers behind the real balancer: what their answers teach it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import httpx
import pytest

from services.cart.replication.peers import KEY_HEADER, key_of
from tests.net.cart.conftest import SECRET

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


def introduced(cart_servers: CartServers, *names: str) -> dict[str, CartServer]:
    flags = ("--strategy", "replicated", "--replication", "sync", "--peer-timeout", "2")
    servers = {name: cart_servers.start("--id", name, *flags) for name in names}
    members = {name: server.peer for name, server in servers.items()}
    for server in servers.values():
        headers = {KEY_HEADER: key_of(SECRET)}
        httpx.put(f"http://{server.peer}/peers", json=members, headers=headers).raise_for_status()
    return servers


def test_after_a_death_every_session_is_answered_by_its_backup(
    cart_servers: CartServers, start_balancer: StartBalancer
) -> None:
    """One of three others has the copy; by lot, no more than a third would be sent to the right one."""
    servers = introduced(cart_servers, "one", "two", "three", "four")
    client = start_balancer(servers, "--sticky", "learn", "--prefer-backup", "--connect-timeout", "5")
    tied = []
    for number in range(32):
        cookies = new_session(client)
        answer = client.get("/cart") if number % 2 else None  # half of them say no second word before
        if answer:
            assert answer.headers["X-Served-By"] not in answer.headers["X-Session-Backup"]
        tied.append(cookies)
    servers["one"].signal(signal.SIGKILL)
    servers["one"].popen.wait()
    moved = 0
    for cookies in tied:
        seen = as_who_has(client, cookies).get("/cart")
        assert len(seen.json()["cart"]) == 1
        moved += seen.headers["X-Session-Origin"] == "backup"
    taken = {name: servers[name].client.get("/stats").json()["figures"] for name in servers if name != "one"}
    assert moved == 8
    assert sum(each["fetched"] for each in taken.values()) == 0, taken


def test_backups_without_a_table_are_refused() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lb", "--server", "a=127.0.0.1:1", "--sticky", "cookie", "--prefer-backup"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "take learn" in done.stderr
