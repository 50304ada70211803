"""What to run: arms, servers, where a session lives, and what ties a shopper to a server."""

from __future__ import annotations

from dataclasses import dataclass

#: The strategies that cannot work without a store.
NEEDS_STORE = frozenset({"stateless"})


@dataclass(frozen=True, slots=True)
class Arm:
    """One complete small site: a balancer, ``servers`` cart servers, a store if needed.

    ``sticky`` and ``balance`` are the balancer's words, ``strategy`` the cart server's.
    """

    name: str
    strategy: str
    sticky: str
    balance: str = "roundrobin"
    servers: int = 3

    @property
    def needs_store(self) -> bool:
        return self.strategy in NEEDS_STORE

    @property
    def server_names(self) -> tuple[str, ...]:
        return tuple(f"server-{number}" for number in range(1, self.servers + 1))


def sticky_arm(servers: int = 3) -> Arm:
    return Arm(name="sticky", strategy="memory", sticky="learn", servers=servers)


def stateless_arm(servers: int = 3) -> Arm:
    return Arm(name="stateless", strategy="stateless", sticky="none", servers=servers)


#: The arms a user can name, in the order they stand on the screen.
ARMS = {"sticky": sticky_arm, "stateless": stateless_arm}
