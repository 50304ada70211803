"""What to run: arms, servers, where a session lives, and what ties a shopper to a server."""

from __future__ import annotations

from dataclasses import dataclass, replace

#: The strategies that cannot work without a store.
NEEDS_STORE = frozenset({"stateless"})


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

    ``sticky`` and ``balance`` are the balancer's words, ``strategy`` the cart server's. ``lb`` is the
    balancer: ours, or a program of that name from this machine.
    """

    name: str
    strategy: str
    sticky: str
    balance: str = "roundrobin"
    servers: int = 3
    lb: str = OURS

    @property
    def needs_store(self) -> bool:
        return self.strategy in NEEDS_STORE

    @property
    def server_names(self) -> tuple[str, ...]:
        return tuple(f"server-{number}" for number in range(1, self.servers + 1))


def behind(arm: Arm, lb: str) -> Arm:
    """``arm`` with the balancer ``lb``; the free nginx ties by a cookie of its own where ours learns."""
    if lb == OURS:
        return arm
    sticky = "cookie" if lb == "nginx" and arm.sticky == "learn" else arm.sticky
    # Named where the way of balancing is shown, so that no result is taken for one of ours.
    return replace(arm, lb=lb, sticky=sticky, balance=f"{lb} {arm.balance}")


def sticky_arm(servers: int = 3) -> Arm:
    return Arm(name="sticky", strategy="memory", sticky="learn", servers=servers)


def stateless_arm(servers: int = 3) -> Arm:
    return Arm(name="stateless", strategy="stateless", sticky="none", servers=servers)


#: The arms a user can name, in the order they stand on the screen.
ARMS = {"sticky": sticky_arm, "stateless": stateless_arm}
