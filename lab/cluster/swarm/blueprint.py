"""From the repository's ``docker-stack.yml`` to the stack of one run. Pure.

What ``docker compose config`` resolved is the pattern: images, limits, health checks, secrets and the
way of replacing stay as they stand there. A run differs in this:

* each arm has its own balancer, its own replicated service and, if it needs one, its own store;
* no port is published, for Swarm would open it on every address of the node: the lab, on that node,
  goes to the containers' own addresses;
* every service, container, network and volume says whose it is.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from lab.cluster.compose.blueprint import ARM, CHECK_TIMEOUT, NAME, ROLE, back_network, front_network, option

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lab.cluster.compose.blueprint import Owner, Service
    from lab.topology import Arm

#: What the balancer calls a server that it found: this, and its address.
PREFIX = "cart"
SERVER_PORT = 8000
SECRETS = ("cookies", "store")


def service_name(arm: Arm, role: str) -> str:
    """Within the stack; ``role`` is ``lb``, ``cart`` or ``store``."""
    return f"{arm.slug}-{role}"


def secret_name(owner: Owner, secret: str) -> str:
    return f"{owner.project}-{secret}"


def blueprint(pattern: Mapping[str, Any], arms: Iterable[Arm], owner: Owner) -> dict[str, Any]:
    """``pattern`` is the resolved file as JSON; the answer is one too, which Docker reads as YAML."""
    given: Mapping[str, Service] = pattern["services"]
    services: dict[str, Service] = {}
    networks: dict[str, dict[str, Any]] = {}
    volumes: dict[str, dict[str, Any]] = {}
    for arm in arms:
        networks[front_network(arm)] = {}
        services[service_name(arm, "lb")] = _balancer(given["lb"], arm)
        services[service_name(arm, "cart")] = _servers(given["cart"], arm)
        if arm.needs_store:
            networks[back_network(arm)] = {"internal": True}
            volumes[f"{arm.slug}-carts"] = {}
            services[service_name(arm, "store")] = _store(given["store"], arm)
    for service in services.values():
        service["labels"] |= owner.labels
        service["deploy"]["labels"] = owner.labels
    for thing in (*networks.values(), *volumes.values()):
        thing["labels"] = owner.labels
    return {
        "version": "3.9",
        "services": services,
        "networks": networks,
        "volumes": volumes,
        "secrets": {name: {"external": True, "name": secret_name(owner, name)} for name in SECRETS},
    }


def _balancer(like: Service, arm: Arm) -> Service:
    service = _copy(like)
    service.pop("ports", None)
    service["environment"] |= {
        "LB_DISCOVER": f"{PREFIX}=tasks.{service_name(arm, 'cart')}:{SERVER_PORT}",
        "LB_STICKY": arm.sticky,
        "LB_BALANCE": arm.balance,
        "LB_FAILOVER": arm.failover,
        "LB_CHECK_TIMEOUT": CHECK_TIMEOUT,
    }
    service["labels"] = {ARM: arm.name, ROLE: "balancer", NAME: "lb"}
    service["networks"] = [front_network(arm)]
    return service


def _servers(like: Service, arm: Arm) -> Service:
    service = _copy(like)
    service["environment"] |= {"CART_STRATEGY": arm.strategy, **option(arm)}
    service["labels"] = {ARM: arm.name, ROLE: "server"}
    service["networks"] = [front_network(arm)]
    service["deploy"]["replicas"] = arm.servers
    if arm.needs_store:
        service["networks"].append(back_network(arm))
    else:
        for name in ("CART_STORE_URL", "CART_STORE_PASSWORD_FILE"):
            service["environment"].pop(name, None)
    return service


def _store(like: Service, arm: Arm) -> Service:
    service = _copy(like)
    service["labels"] = {ARM: arm.name, ROLE: "store", NAME: "store"}
    service["networks"] = {back_network(arm): {"aliases": ["store"]}}
    for volume in service["volumes"]:
        volume["source"] = f"{arm.slug}-carts"
    return service


def _copy(like: Service) -> Service:
    """Without what is nothing: ``docker stack deploy`` refuses some of it."""
    return {key: deepcopy(value) for key, value in like.items() if value is not None}
