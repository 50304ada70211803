"""What to run: arms, servers, where a session lives, and what ties a shopper to a server."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum

from lab.errors import UsageProblem
from lab.strategies import STRATEGIES


class Platform(StrEnum):
    """Where the programs of a run live."""

    PROCESSES = "processes"
    DOCKER = "docker"
    SWARM = "swarm"

    @property
    def flag(self) -> str:
        """How to ask for it."""
        return "without --docker" if self is Platform.PROCESSES else f"--{self}"

    @property
    def words(self) -> str:
        return _PLATFORM_WORDS[self]


_PLATFORM_WORDS = {
    Platform.PROCESSES: "with plain processes",
    Platform.DOCKER: "in containers (--docker)",
    Platform.SWARM: "on Docker Swarm (--swarm)",
}

#: What can tie a shopper to a server, and what becomes of a tied request whose server is gone.
TIES = ("none", "learn", "cookie", "hash")
FAILOVERS = ("rebalance", "strict", "open")
#: Ties that lead a shopper back to the server that made their session.
LEADS_BACK = frozenset({"learn", "cookie"})

OURS = "ours"
#: The balancers that can stand in front of an arm, and in what each differs from ours there.
BALANCERS = {
    OURS: "",
    "haproxy": "ties also a session whose cookie it has not seen a server set",
    "nginx": "cannot learn from the shop's cookie, so it ties shoppers by one of its own; it has no health "
    "checks, so the states shown are looked up through it by the lab; it sends no POST twice, keyed or not; "
    "and it does not tell which session is where, or how many it has moved",
}


@dataclass(frozen=True, slots=True)
class Arm:
    """One complete small site: a balancer, ``servers`` cart servers, a store if needed.

    ``sticky``, ``balance`` and ``failover`` are the balancer's words, ``strategy`` and its ``option``
    the cart server's. ``lb`` is the balancer: ours, or a program of that name from this machine.
    ``session_ttl`` is in seconds, None for the server's default; without ``store_log`` the store
    forgets what it held when it dies. ``patience`` is for how many seconds checks and calls to the
    store may wait, None for the programs' defaults.
    """

    name: str
    strategy: str
    sticky: str
    balance: str = "roundrobin"
    servers: int = 3
    lb: str = OURS
    option: str = ""
    failover: str = FAILOVERS[0]
    session_ttl: float | None = None
    store_log: bool = True
    patience: float | None = None

    @property
    def needs_store(self) -> bool:
        return STRATEGIES[self.strategy].needs_store

    @property
    def has_peers(self) -> bool:
        """Whether its servers speak with each other."""
        return STRATEGIES[self.strategy].has_peers

    @property
    def slug(self) -> str:
        """The name, fit for a file's."""
        return re.sub(r"[^a-z0-9_]+", "-", self.name)

    @property
    def server_names(self) -> tuple[str, ...]:
        return tuple(f"server-{number}" for number in range(1, self.servers + 1))


def behind(arm: Arm, lb: str) -> Arm:
    """``arm`` with the balancer ``lb``; the free nginx ties by a cookie of its own where ours learns."""
    if lb == OURS:
        return arm
    if arm.sticky == "hash" or arm.failover != FAILOVERS[0]:
        raise UsageProblem(
            f"--lb {lb} was given for the arm {arm.name}; the lab sets up {lb} with a tie by table or cookie "
            "or none, and with its own way of failing over: hash, strict and open need --lb ours."
        )
    sticky = "cookie" if lb == "nginx" and arm.sticky == "learn" else arm.sticky
    # Named where the way of balancing is shown, so that no result is taken for one of ours.
    return replace(arm, lb=lb, sticky=sticky, balance=f"{lb} {arm.balance}")


def sticky_arm(servers: int = 3) -> Arm:
    return Arm(name="sticky", strategy="memory", sticky="learn", servers=servers)


def stateless_arm(servers: int = 3) -> Arm:
    return Arm(name="stateless", strategy="stateless", sticky="none", servers=servers)


#: The arms a user can name, in the order they stand on the screen.
ARMS = {"sticky": sticky_arm, "stateless": stateless_arm}
