from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.arms import read_arms
from lab.cluster.compose.blueprint import REGISTRY, RUN, Owner, Ports, blueprint
from lab.faults import FAULTS
from lab.topology import Platform, stateless_arm, sticky_arm

HOUSE = Path(__file__).parents[2]
OWNER = Owner("cartlab-1", "ab12", "/tmp/cartlab-0")


@pytest.fixture(scope="module")
def pattern() -> dict[str, Any]:
    """The repository's own file, as far resolved as plays a part here: volumes in their long form."""
    found: dict[str, Any] = yaml.safe_load((HOUSE / "docker-compose.yml").read_text())
    for service in found["services"].values():
        parts = [volume.split(":") for volume in service.get("volumes", ())]
        service["volumes"] = [{"source": part[0], "target": part[1]} for part in parts]
    return found


def drawn(pattern: dict[str, Any], *arms: Any, ports: Ports | None = None) -> dict[str, Any]:
    return blueprint(pattern, arms or (sticky_arm(), stateless_arm()), OWNER, ports or Ports())


def test_every_container_network_and_volume_says_whose_it_is(pattern: dict[str, Any]) -> None:
    made = drawn(pattern)
    things = [*made["services"].values(), *made["networks"].values(), *made["volumes"].values()]
    assert len(things) > 10
    assert all(
        thing["labels"].items() >= {RUN: "ab12", REGISTRY: "/tmp/cartlab-0"}.items() for thing in things
    )


def test_every_published_port_is_on_loopback_and_a_free_one(pattern: dict[str, Any]) -> None:
    ports = [port for one in drawn(pattern)["services"].values() for port in one.get("ports", ())]
    assert len(ports) == 2 * 2 + 6
    assert {(port["host_ip"], port["published"]) for port in ports} == {("127.0.0.1", "0")}


def test_a_standing_site_has_the_ports_that_were_asked_for(pattern: dict[str, Any]) -> None:
    made = drawn(pattern, sticky_arm(), ports=Ports(front=8080, admin=8404))
    published = {port["target"]: port["published"] for port in made["services"]["sticky-lb"]["ports"]}
    assert published == {8080: "8080", 9000: "8404"}


@pytest.mark.parametrize("servers", [1, 2, 3, 7])
def test_there_are_as_many_servers_as_asked_for_each_with_its_name(
    servers: int, pattern: dict[str, Any]
) -> None:
    services = drawn(pattern, sticky_arm(servers))["services"]
    ids = [one["environment"]["CART_ID"] for name, one in services.items() if name[-1].isdigit()]
    assert ids == [f"server-{number}" for number in range(1, servers + 1)]


def test_what_locks_a_container_down_stays_as_the_repository_says(pattern: dict[str, Any]) -> None:
    for name, service in drawn(pattern)["services"].items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["restart"] == "no", name


def test_only_servers_that_need_a_store_are_on_its_network(pattern: dict[str, Any]) -> None:
    services = drawn(pattern)["services"]
    assert "stateless-back" in services["stateless-2"]["networks"]
    assert set(services["sticky-2"]["networks"]) == {"sticky-front", "lab"}
    assert "stateless-store" in services
    assert "sticky-store" not in services


def test_any_strategy_and_tie_can_live_in_containers(pattern: dict[str, Any]) -> None:
    (arm,) = read_arms("replicated:1/cookie/strict")
    services = drawn(pattern, arm)["services"]
    server = services[f"{arm.slug}-1"]["environment"]
    assert (server["CART_STRATEGY"], server["CART_REPLICAS"]) == ("replicated", "1")
    balancer = services[f"{arm.slug}-lb"]["environment"]
    assert (balancer["LB_STICKY"], balancer["LB_FAILOVER"]) == ("cookie", "strict")


def test_the_pattern_stays_as_it_was(pattern: dict[str, Any]) -> None:
    before = yaml.safe_dump(pattern)
    drawn(pattern)
    assert yaml.safe_dump(pattern) == before


def test_containers_can_be_cut_off_their_networks_and_not_disturbed_on_them() -> None:
    for name in ("cut-from-balancer", "cut-from-store"):
        assert FAULTS[name].refusal(Platform.DOCKER, [stateless_arm()]) is None
    for name in ("slow", "black-hole", "reset", "store-freeze"):
        refusal = FAULTS[name].refusal(Platform.DOCKER, [stateless_arm()])
        assert refusal
        assert "without --docker" in refusal


def test_a_server_without_a_store_cannot_be_cut_off_it() -> None:
    refusal = FAULTS["cut-from-store"].refusal(Platform.DOCKER, [sticky_arm(), stateless_arm()])
    assert refusal
    assert "the sticky arm" in refusal
