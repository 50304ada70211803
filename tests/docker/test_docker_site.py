"""Both sites as `docker compose up` leaves them: looked up from the engine, and tried from inside."""

from __future__ import annotations

import json
import secrets
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from tests.docker.conftest import Project

SERVERS = {f"{arm}-{n}" for arm in ("sticky", "stateless") for n in (1, 2, 3)}
RUNNING = SERVERS | {"sticky-lb", "stateless-lb", "store"}
CONNECT = "import socket; socket.create_connection(({!r}, {}), 2); print('connected')"


def all_that_it_said(container: str) -> str:
    done = subprocess.run(["docker", "logs", container], capture_output=True, text=True, check=True)
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def known(both_arms: Project) -> dict[str, dict[str, Any]]:
    return both_arms.inspect()


def test_every_container_is_up_and_healthy(known: dict[str, dict[str, Any]]) -> None:
    health = {name: one["State"].get("Health", {}).get("Status") for name, one in known.items()}
    assert health == dict.fromkeys(RUNNING, "healthy") | {"keys": None}
    assert known["keys"]["State"]["ExitCode"] == 0


def test_every_published_port_is_on_loopback(known: dict[str, dict[str, Any]]) -> None:
    published = {
        (name, port, at["HostIp"])
        for name, one in known.items()
        for port, where in one["NetworkSettings"]["Ports"].items()
        for at in where or ()
    }
    lbs, ports = ("sticky-lb", "stateless-lb"), ("8080/tcp", "9000/tcp")
    assert published == {(lb, port, "127.0.0.1") for lb in lbs for port in ports}


def test_a_published_port_cannot_be_reached_from_another_container(
    both_arms: Project, docker: Callable[..., str]
) -> None:
    outside = json.loads(docker("network", "inspect", f"{both_arms.name}_outside"))[0]
    gateway = outside["IPAM"]["Config"][0]["Gateway"]
    port = both_arms.url("sticky-lb", 8080).rpartition(":")[2]
    assert both_arms.ask("stateless-lb", CONNECT.format("sticky-lb", 8080)) == "connected"
    with pytest.raises(AssertionError, match=r"refused|timed out"):
        both_arms.ask("stateless-lb", CONNECT.format(gateway, port))


def test_a_server_reaches_its_balancer_but_not_the_admin_api(both_arms: Project) -> None:
    assert both_arms.ask("sticky-1", CONNECT.format("sticky-lb", 8080)) == "connected"
    for host in ("sticky-lb", "sticky-admin"):
        with pytest.raises(AssertionError, match=r"refused|Name|resolution|unreachable"):
            both_arms.ask("sticky-1", CONNECT.format(host, 9000))


def test_the_admin_api_waits_for_a_name_that_the_engine_announces_late(
    images: tuple[str, ...], docker: Callable[..., str], wait_until: Callable[..., None]
) -> None:
    mark = f"cartlab-test-{secrets.token_hex(4)}"
    inside, outside = f"{mark}-inside", f"{mark}-outside"
    as_compose = ("--dns-option", "timeout:1", "--dns-option", "attempts:1")
    settings = (*as_compose, "--env", "LB_ADMIN=late-admin:9000", "--env", "LB_SERVERS=server-1=nobody:8000")
    docker("network", "create", "--internal", inside)
    docker("network", "create", outside)
    try:
        docker("run", "--detach", "--name", mark, "--network", inside, *settings, "cart-chaos-lab/lb")
        wait_until(lambda: "late-admin is not known yet" in all_that_it_said(mark), "it waits for its name")
        docker("network", "connect", "--alias", "late-admin", outside, mark)
        wait_until(lambda: '"event": "listening"' in all_that_it_said(mark), "it listens")
        addresses = json.loads(docker("inspect", mark))[0]["NetworkSettings"]["Networks"]
        own = addresses[outside]["IPAddress"]
        listens = json.loads(docker("logs", mark).partition("\n")[0])
        assert (listens["admin_host"], listens["admin_port"]) == ("late-admin", 9000)
        ask = CONNECT.format(own, 9000)
        assert docker("exec", mark, "python3", "-c", ask) == "connected"
        with pytest.raises(AssertionError, match="refused"):
            docker("exec", mark, "python3", "-c", CONNECT.format(addresses[inside]["IPAddress"], 9000))
    finally:
        docker("rm", "--force", mark)
        docker("network", "rm", inside, outside)


def test_only_stateless_servers_reach_the_store_and_only_with_its_password(both_arms: Project) -> None:
    assert both_arms.ask("stateless-1", CONNECT.format("store", 6379)) == "connected"
    for service in ("sticky-1", "sticky-lb", "stateless-lb"):
        with pytest.raises(AssertionError, match=r"Name|resolution"):
            both_arms.ask(service, CONNECT.format("store", 6379))
    ping = "s = socket.create_connection(('store', 6379)); s.sendall(b'PING\\r\\n'); print(s.recv(99))"
    assert "NOAUTH" in both_arms.ask("stateless-1", f"import socket; {ping}")


def test_only_the_balancers_are_on_a_network_that_leads_outside(
    both_arms: Project, known: dict[str, dict[str, Any]], docker: Callable[..., str]
) -> None:
    names = docker("network", "ls", "--quiet", "--filter", f"name={both_arms.name}_").split()
    open_ones = {
        one["Name"] for one in json.loads(docker("network", "inspect", *names)) if not one["Internal"]
    }
    reaching = {name for name, one in known.items() if open_ones & set(one["NetworkSettings"]["Networks"])}
    assert reaching == {"sticky-lb", "stateless-lb"}


@pytest.mark.parametrize("service", sorted(RUNNING | {"keys"}))
def test_a_container_is_locked_down(known: dict[str, dict[str, Any]], service: str) -> None:
    one = known[service]
    host = one["HostConfig"]
    assert one["Config"]["User"].partition(":")[0] not in {"", "0", "root"}
    assert (host["ReadonlyRootfs"], host["CapDrop"], host["CapAdd"]) == (True, ["ALL"], None)
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert 0 < host["Memory"] <= 192 * 2**20
    assert 0 < host["PidsLimit"] <= 64
    assert host["RestartPolicy"]["Name"] in {"", "no"}
    assert not host["Privileged"]


@pytest.mark.parametrize("service", ["sticky-1", "stateless-1", "sticky-lb"])
def test_a_program_is_nobody_and_can_write_nowhere(both_arms: Project, service: str) -> None:
    status = both_arms.ask(service, "print(open('/proc/1/status').read())")
    lines = dict(line.split(":", 1) for line in status.splitlines())
    assert lines["Uid"].split() == ["10001"] * 4
    assert int(lines["CapEff"], 16) == int(lines["CapBnd"], 16) == 0
    assert lines["NoNewPrivs"].strip() == "1"
    with pytest.raises(AssertionError, match="Read-only file system"):
        both_arms.ask(service, "open('/tmp/x', 'w')")


def test_no_key_is_where_others_could_read_it(
    both_arms: Project, known: dict[str, dict[str, Any]], docker: Callable[..., str]
) -> None:
    keys = [
        both_arms.ask("stateless-1", f"print(open('/run/keys/{name}').read())")
        for name in ("store", "cookies")
    ]
    assert all(len(key) == 64 for key in keys)
    shown = json.dumps(known) + docker("image", "history", "--no-trunc", "cart-chaos-lab/cart")
    shown += "".join(docker("top", both_arms.container(service)) for service in RUNNING)
    shown += "".join(docker("logs", both_arms.container(service)) for service in RUNNING)
    assert not [key for key in keys if key in shown]


@pytest.mark.parametrize(("network", "cause"), [("back", "store"), ("stateless-front", "balancer")])
def test_a_server_cut_off_is_out_of_service_until_it_is_connected(
    both_arms: Project,
    docker: Callable[..., str],
    shopper: httpx.Client,
    wait_until: Callable[..., None],
    network: str,
    cause: str,
) -> None:
    cut = f"{both_arms.name}_{network}", both_arms.container("stateless-2")
    alias = ("--alias", "stateless-2")
    docker("network", "disconnect", *cut)
    try:
        both_arms.until("stateless", "server-2", "down")
        front = both_arms.url("stateless-lb", 8080)

        def who_answers() -> set[tuple[int, str | None]]:
            answers = [shopper.get(f"{front}/cart") for _ in range(6)]
            return {(one.status_code, one.headers.get("X-Served-By")) for one in answers}

        others = {(200, "server-1"), (200, "server-3")}
        wait_until(lambda: who_answers() == others, f"only the others answer, cut off from the {cause}")
    finally:
        docker("network", "connect", *alias, *cut)
    both_arms.until("stateless", "server-2", "up")


def test_a_frozen_server_is_out_of_service_until_it_goes_on(
    both_arms: Project, docker: Callable[..., str]
) -> None:
    docker("pause", both_arms.container("sticky-3"))
    try:
        both_arms.until("sticky", "server-3", "down")
    finally:
        docker("unpause", both_arms.container("sticky-3"))
    both_arms.until("sticky", "server-3", "up")
