"""From the repository's ``docker-compose.yml`` to the file of one run. Pure.

What ``docker compose config`` resolved is the pattern: images, limits, health checks, keys and
networks stay as they stand there. A run differs in seven things:

* each arm has its own copy of the balancer, its servers and its store, for any number of each;
* the balancer is told no servers: the lab does that over the admin API, by address, so that nobody
  has to ask a name server about a container that is dead;
* every published port is a free one;
* each server publishes one as well, on a network of its own with this machine (``lab``), so that the
  lab reaches a server that is cut off from everybody else;
* every container, network and volume says whose it is;
* the engine's own health checks are off: the balancer checks, and a program started in each
  container every other second would be most of what the machine does;
* its images are built before, and once.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lab.strategies import STRATEGIES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lab.topology import Arm

RUN, REGISTRY, ARM, ROLE, NAME = (
    "cartlab.run", "cartlab.registry", "cartlab.arm", "cartlab.role", "cartlab.name"
)  # fmt: skip
FRONT_PORT, ADMIN_PORT, SERVER_PORT = 8080, 9000, 8000
#: The network between servers and this machine alone.
LAB_NETWORK = "lab"
_LOOPBACK = "127.0.0.1"
#: Seconds, four times the balancer's default. To break one container an engine works for a second or two
#: on all cores; a server that is only slow meanwhile must not be called down, for that moves its shoppers.
#: A killed server is known at once all the same, since it refuses connections.
CHECK_TIMEOUT = "2"

Service = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose containers they are: a run, in the registry of one user. ``project`` is Compose's word."""

    project: str
    run: str
    registry: str

    @property
    def labels(self) -> dict[str, str]:
        return {RUN: self.run, REGISTRY: self.registry}


@dataclass(frozen=True, slots=True)
class Ports:
    """On this machine; 0 takes a free one."""

    front: int = 0
    admin: int = 0


def front_network(arm: Arm) -> str:
    return f"{arm.slug}-front"


def back_network(arm: Arm) -> str:
    return f"{arm.slug}-back"


def blueprint(pattern: Mapping[str, Any], arms: Iterable[Arm], owner: Owner, ports: Ports) -> dict[str, Any]:
    """``pattern`` is the resolved file as JSON; the answer is one too, which Compose reads as YAML."""
    given: Mapping[str, Service] = pattern["services"]
    services: dict[str, Service] = {"keys": deepcopy(given["keys"])}
    networks: dict[str, dict[str, Any]] = {"outside": {}, LAB_NETWORK: {}}
    volumes: dict[str, dict[str, Any]] = {"keys": {}}
    for arm in arms:
        networks[front_network(arm)] = {"internal": True}
        services[f"{arm.slug}-lb"] = _balancer(given["sticky-lb"], arm, ports)
        if arm.needs_store:
            networks[back_network(arm)] = {"internal": True}
            volumes[f"{arm.slug}-carts"] = {}
            services[f"{arm.slug}-store"] = _store(given["store"], arm)
        for number, name in enumerate(arm.server_names, start=1):
            like = given["stateless-1" if arm.needs_store else "sticky-1"]
            services[f"{arm.slug}-{number}"] = _server(like, arm, name)
    for service in services.values():
        service.pop("profiles", None)
        # Built once, before: Compose would build an image for each service that names one, and write its
        # project's name into it, so that every run left images that nobody needs.
        service.pop("build", None)
        service["pull_policy"] = "missing" if service["image"] == given["store"]["image"] else "never"
        service["healthcheck"] = {"disable": True}
        service["labels"] = {**service.get("labels", {}), **owner.labels}
    for thing in (*networks.values(), *volumes.values()):
        thing["labels"] = owner.labels
    return {
        "name": owner.project,
        "services": services,
        "networks": networks,
        "volumes": volumes,
        "secrets": {name: _unnamed(secret) for name, secret in pattern.get("secrets", {}).items()},
    }


def _balancer(like: Service, arm: Arm, ports: Ports) -> Service:
    service, admin = deepcopy(like), f"{arm.slug}-admin"
    service["environment"].pop("LB_SERVERS", None)
    service["environment"] |= {
        "LB_STICKY": arm.sticky,
        "LB_BALANCE": arm.balance,
        "LB_FAILOVER": arm.failover,
        "LB_ADMIN": f"{admin}:{ADMIN_PORT}",
        "LB_CHECK_TIMEOUT": CHECK_TIMEOUT,
    }
    service["labels"] = {ARM: arm.name, ROLE: "balancer", NAME: "lb"}
    service["networks"] = {front_network(arm): {}, "outside": {"aliases": [admin]}}
    service["ports"] = [_published(FRONT_PORT, ports.front), _published(ADMIN_PORT, ports.admin)]
    return service


def _server(like: Service, arm: Arm, name: str) -> Service:
    service = deepcopy(like)
    service["environment"] |= {"CART_ID": name, "CART_STRATEGY": arm.strategy, **option(arm)}
    service["labels"] = {ARM: arm.name, ROLE: "server", NAME: name}
    service["networks"] = {front_network(arm): {}, LAB_NETWORK: {}}
    service["ports"] = [_published(SERVER_PORT, 0)]
    # Not on the store: a server says in /ready that it cannot reach it yet, and the lab waits for that.
    service["depends_on"] = {"keys": {"condition": "service_completed_successfully"}}
    if arm.needs_store:
        service["networks"][back_network(arm)] = {}
    return service


def _store(like: Service, arm: Arm) -> Service:
    service = deepcopy(like)
    service["labels"] = {ARM: arm.name, ROLE: "store", NAME: "store"}
    service["networks"] = {back_network(arm): {"aliases": ["store"]}}
    for volume in service["volumes"]:
        if volume["source"] == "carts":
            volume["source"] = f"{arm.slug}-carts"
    return service


def option(arm: Arm) -> dict[str, str]:
    """The strategy's flags as the environment names that stand for them."""
    flags = STRATEGIES[arm.strategy].options.get(arm.option, ())
    return {
        f"CART_{flag.removeprefix('--').replace('-', '_').upper()}": value
        for flag, value in zip(flags[::2], flags[1::2], strict=True)
    }


def _published(target: int, port: int) -> dict[str, Any]:
    return {
        "mode": "ingress", "host_ip": _LOOPBACK, "target": target, "published": str(port), "protocol": "tcp"
    }  # fmt: skip


def _unnamed(thing: Mapping[str, Any]) -> dict[str, Any]:
    """Without the full name that it has in the pattern's own project."""
    return {key: value for key, value in thing.items() if key != "name"}
