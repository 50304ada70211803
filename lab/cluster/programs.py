"""Which programs an arm consists of, and what each is told. Pure: it starts nothing.

The lab imports neither the balancer nor the cart server; it knows their flags as any operator does.
"""

from __future__ import annotations

import secrets
import sys
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from lab.cluster.child import Program
from lab.cluster.foreign.finding import find
from lab.cluster.loopback import LOOPBACK
from lab.strategies import STRATEGIES

if TYPE_CHECKING:
    from pathlib import Path

    from lab.cluster.ports import Side
    from lab.cluster.store import Store
    from lab.topology import Arm


#: Seconds that a server waits for its store. An operator would wait for one; but here many programs share
#: two cores, and a pause of the machine must not look like a store that is away. One that is really
#: away refuses at once.
STORE_PATIENCE = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """What the programs of one arm share. Port 0 takes a free one.

    ``crash_delay`` is how many seconds a server lives on after ``POST /crash``; ``links`` are the sides
    on which the fault proxy stands between.
    """

    logs: Path
    secret: str = field(default_factory=partial(secrets.token_urlsafe, 32), repr=False)
    front_port: int = 0
    admin_port: int = 0
    crash_delay: float = 1.0
    links: frozenset[Side] = frozenset()


def balancer(arm: Arm, wiring: Wiring) -> Program:
    flags = {
        "--listen": f"{LOOPBACK}:{wiring.front_port}",
        "--admin": f"{LOOPBACK}:{wiring.admin_port}",
        "--sticky": arm.sticky,
        "--balance": arm.balance,
        "--failover": arm.failover,
    }
    if arm.patience is not None:
        flags["--check-timeout"] = f"{arm.patience:g}"
    # The operator's word that a request with an Idempotency-Key may be sent to a second server.
    switches = ["--lab-headers", "--retry-keyed"]
    if arm.strategy == "replicated" and arm.sticky == "learn":
        switches.append("--prefer-backup")
    return _program(arm, "lb", "lb", [*_words(flags), *switches], wiring, {})


def stand_in(arm: Arm, wiring: Wiring, den: Path) -> Program:
    """Somebody else's balancer, and who speaks for it. ``den`` is where its sockets may be."""
    name = f"{arm.slug}-lb"
    flags = {
        "--binary": find(arm.lb),
        "--port": str(wiring.front_port),
        "--admin-port": str(wiring.admin_port),
        "--folder": str(den / name),
        "--config": str(wiring.logs / f"{name}.{arm.lb}.conf"),
    }
    servers = [word for server in arm.server_names for word in ("--server", server)]
    tie = "--untied" if arm.sticky == "none" else "--tied"
    return _program(arm, "lb", "lab.cluster.foreign", [arm.lb, *_words(flags), *servers, tie], wiring, {})


def server(arm: Arm, name: str, wiring: Wiring, store: Store | None) -> Program:
    flags = {
        "--listen": f"{LOOPBACK}:0",
        "--id": name,
        "--strategy": arm.strategy,
        "--crash-delay": f"{wiring.crash_delay:g}",
        # When the lab stops a server, it stops all: nobody is left to be told to go elsewhere.
        "--drain": "0",
    }
    if arm.session_ttl is not None:
        flags["--session-ttl"] = f"{arm.session_ttl:g}"
    flags["--store-timeout"] = f"{arm.patience or STORE_PATIENCE:g}"
    if arm.patience is not None:
        flags["--peer-timeout"] = f"{arm.patience:g}"
    # By environment: a store's URL may hold a password, and argv is for everybody to read.
    settings = {"CART_SECRET": wiring.secret}
    if store:
        settings |= {"CART_STORE_URL": store.url, "CART_STORE_PREFIX": store.prefix}
    words = [*_words(flags), *STRATEGIES[arm.strategy].options.get(arm.option, ()), "--chaos"]
    return _program(arm, name, "services.cart", words, wiring, settings)


def _program(
    arm: Arm, name: str, module: str, words: list[str], wiring: Wiring, settings: dict[str, str]
) -> Program:
    return Program(
        name=f"{arm.slug}-{name}",
        # -P: a folder named lb or services where the user happens to stand must not be taken for ours.
        argv=[sys.executable, "-P", "-m", module, *words],
        log=wiring.logs / f"{arm.slug}-{name}.log",
        settings=settings,
    )


def _words(flags: dict[str, str]) -> list[str]:
    return [word for flag in flags.items() for word in flag]
