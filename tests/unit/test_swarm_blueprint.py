from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.arms import read_arms
from lab.cli import cli
from lab.cluster.compose.blueprint import REGISTRY, RUN, Owner
from lab.cluster.swarm.blueprint import blueprint
from lab.cluster.swarm.membership import refusal
from lab.cluster.swarm.tasks import newest
from lab.errors import UsageProblem
from lab.faults import FAULTS, story_of
from lab.topology import Platform, stateless_arm, sticky_arm

HOUSE = Path(__file__).parents[2]
OWNER = Owner("cartlab-1", "ab12", "/tmp/cartlab-0")
ALONE = {"LocalNodeState": "active", "ControlAvailable": True, "Nodes": 1}


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    pattern: dict[str, Any] = yaml.safe_load((HOUSE / "docker-stack.yml").read_text())
    for service in pattern["services"].values():
        parts = [volume.split(":") for volume in service.get("volumes", ())]
        service["volumes"] = [{"source": part[0], "target": part[1]} for part in parts]
    return blueprint(pattern, (sticky_arm(4), stateless_arm(4)), OWNER)


def task(name: str, slot: int, created: str, host: str) -> dict[str, Any]:
    front = {"Network": {"Spec": {"Name": "run_front"}}, "Addresses": [f"{host}/24"]}
    back = {"Network": {"Spec": {"Name": "run_back"}}, "Addresses": ["10.0.9.9/24"]}
    status = {"State": "running", "ContainerStatus": {"ContainerID": name}}
    told = {"ID": name, "Slot": slot, "CreatedAt": created, "NetworksAttachments": [back, front]}
    return told | {"Status": status}


def test_everything_of_a_stack_says_whose_it_is(made: dict[str, Any]) -> None:
    services = made["services"].values()
    things = [*services, *(one["deploy"] for one in services), *made["networks"].values()]
    things += made["volumes"].values()
    assert len(things) == 5 * 2 + 3 + 1
    assert all(thing["labels"].items() >= {RUN: "ab12", REGISTRY: OWNER.registry}.items() for thing in things)


def test_a_stack_of_a_run_publishes_nothing_and_its_admin_api_stays_on_loopback(made: dict[str, Any]) -> None:
    assert not [name for name, one in made["services"].items() if "ports" in one]
    assert "LB_ADMIN" not in {
        name for one in made["services"].values() for name in one.get("environment", ())
    }
    assert "LB_ADMIN=127.0.0.1:9000" in (HOUSE / "Dockerfile").read_text()


def test_each_arm_has_its_own_servers_found_by_its_own_balancer(made: dict[str, Any]) -> None:
    for arm in ("sticky", "stateless"):
        assert made["services"][f"{arm}-cart"]["deploy"]["replicas"] == 4
        assert f"tasks.{arm}-cart:8000" in made["services"][f"{arm}-lb"]["environment"]["LB_DISCOVER"]
    assert "sticky-store" not in made["services"]
    assert "store" not in json.dumps(made["services"]["sticky-cart"]["environment"])
    assert made["networks"]["stateless-back"]["internal"] is True
    assert made["services"]["sticky-lb"]["environment"]["LB_STICKY"] == "learn"


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (ALONE | {"Nodes": 3}, "a swarm of 3 nodes"),
        (ALONE | {"ControlAvailable": False}, "a worker in somebody's swarm"),
        ({"LocalNodeState": "locked", "ControlAvailable": False}, "its state is locked"),
        ({}, "its state is unknown to it"),
    ],
)
def test_an_engine_on_which_swarm_is_not_ours_to_use_is_refused(told: dict[str, Any], said: str) -> None:
    why = refusal(told)
    assert why is not None
    assert said in why
    assert "--docker needs no swarm" in why


@pytest.mark.parametrize("told", [{"LocalNodeState": "inactive"}, ALONE])
def test_an_engine_in_no_swarm_or_alone_in_one_will_do(told: dict[str, Any]) -> None:
    assert refusal(told) is None


def test_the_newest_task_of_a_slot_bears_its_name() -> None:
    told = [task("new", 1, "2026-01-02", "10.0.1.9"), task("old", 1, "2026-01-01", "10.0.1.5")]
    unborn = {"ID": "unborn", "CreatedAt": "2026-01-03"}
    found = newest([*told, task("other", 2, "2026-01-01", "10.0.1.6"), unborn], "run_front")
    assert (found[1].id, found[1].host, found[2].host) == ("new", "10.0.1.9", "10.0.1.6")
    assert (found[0].host, found[0].runs) == ("", False)


def test_only_what_ends_a_server_can_be_told_on_swarm() -> None:
    arms = read_arms("stateless")
    possible = {name for name, fault in FAULTS.items() if fault.refusal(Platform.SWARM, arms) is None}
    assert possible == {"kill", "endpoint", "stop", "restart"}
    assert "Swarm itself replaces" in str(FAULTS["pause"].refusal(Platform.SWARM, arms))


def test_on_swarm_the_act_of_healing_says_who_heals() -> None:
    heal = story_of("kill", Platform.SWARM).heal
    assert heal is not None
    assert "Swarm" in heal.sentence
    assert heal.name == "heal"
    assert story_of("kill", Platform.DOCKER) == FAULTS["kill"].story
    assert story_of("restart", Platform.SWARM).heal is None


def refused(*flags: str) -> str:
    """What the command line says to ``cartlab run crash FLAGS``, refused before anything starts."""
    with pytest.raises(UsageProblem) as problem:
        cli.main(["run", "crash", "--no-input", *flags], standalone_mode=False)
    return str(problem.value)


@pytest.mark.parametrize("flag", ["--docker", "--swarm"])
def test_servers_that_nobody_would_introduce_are_refused(flag: str) -> None:
    assert f"leave out {flag}" in refused("--arms", "replicated:1", flag)


def test_containers_are_by_compose_or_by_swarm() -> None:
    assert "give one of the two" in refused("--docker", "--swarm")


def test_a_fault_that_swarm_would_undo_is_refused() -> None:
    assert "Swarm itself replaces" in refused("--swarm", "--fault", "cut-from-store", "--arms", "stateless")
