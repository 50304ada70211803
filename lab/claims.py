"""What people say about sticky sessions, beside what this run measured.

A claim is a finding, not a gate: one that turns out broken is the best lesson of all, so the exit
code follows the expectations on the arms (``lab.verdict``) and never the claims.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from lab.findings import (
    a_key_makes_one_of_two,
    any_server_serves_it,
    copied_in_time,
    copies_cost_messages,
    crash_endpoint_and_read_back,
    critical_writes_are_quick,
    fails_over_by_itself,
    hits_everyone_pinned,
    home_loses_again,
    idle_carts_go,
    lost_update,
    memory_stays_gone,
    no_loss_and_no_error,
    nothing_lost,
    one_of_three_answers,
    others_are_untouched,
    rebind_costs_the_first_request,
    store_is_critical,
    takes_every_cart_along,
    two_sides,
)
from lab.strategies import STRATEGIES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from lab.findings import Finding
    from lab.ledger import Ledger
    from lab.verdict import Verdict


@dataclass(frozen=True, slots=True)
class ClaimResult:
    """``said`` is the claim in a sentence, ``measured`` what this run has to say about it."""

    id: str
    arm: str
    said: str
    measured: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Claim:
    """``strategies`` it speaks about; ``faults`` that put it to the test, None when any will do."""

    said: str
    strategies: frozenset[str]
    measure: Callable[[Ledger], Finding]
    faults: frozenset[str] | None = None


def evaluate(
    ids: Iterable[str], ledgers: Mapping[str, Ledger], strategies: Mapping[str, str], *, fault: str | None
) -> list[ClaimResult]:
    """The claims ``ids``, for every arm that they speak about: ``strategies`` tells each arm's."""
    results = []
    for name in ids:
        claim = CLAIMS.get(name)
        if claim is None:
            near = get_close_matches(name, CLAIMS, n=1, cutoff=0) or list(CLAIMS)
            raise ValueError(f"there is no claim {name!r}; the nearest is {near[0]!r}")
        if claim.faults is None or fault in claim.faults:
            for arm, ledger in ledgers.items():
                if strategies[arm] in claim.strategies:
                    verdict, measured = claim.measure(ledger)
                    results.append(ClaimResult(name, arm, claim.said, measured, verdict))
    return results


#: Of these a process dies; with all of them its memory is gone.
CRASHES = frozenset({"kill", "endpoint"})
ENDS = CRASHES | {"stop", "restart"}
LOCAL = frozenset({"memory"})
CENTRAL = frozenset({"stateless", "write_through", "hybrid"})
NAIVE = frozenset({"naive_blob"})

#: The claims that a run can put a figure beside. C.. are the claims ledger's, names are the lab's own.
CLAIMS = {
    "C01": Claim(
        "a crashed sticky server takes every cart on it along", LOCAL, takes_every_cart_along, CRASHES
    ),
    "C02": Claim(
        "with sessions in a store any server serves any request, and the same crash loses none",
        CENTRAL,
        any_server_serves_it,
        CRASHES,
    ),
    "C09": Claim("a server failure costs no cart and no visible error", CENTRAL, no_loss_and_no_error),
    "C10": Claim(
        "crash by an endpoint, verify with a client that builds a cart, crashes, reads it back",
        LOCAL | CENTRAL,
        crash_endpoint_and_read_back,
        frozenset({"endpoint"}),
    ),
    "C20": Claim(
        "a server's death disconnects everyone pinned to it at once", LOCAL, hits_everyone_pinned, CRASHES
    ),
    "C30": Claim("sticky can be right: while every server lives, it loses nothing", LOCAL, nothing_lost),
    "C34": Claim(
        "after a crash: an empty session elsewhere, a backup, or the store",
        LOCAL | CENTRAL | frozenset({"replicated"}),
        one_of_three_answers,
        CRASHES,
    ),
    "C05": Claim(
        "copies between servers cost messages at every write, and keep carts",
        frozenset({"replicated"}),
        copies_cost_messages,
    ),
    "C16": Claim(
        "in a hybrid, critical writes take one or two milliseconds",
        frozenset({"hybrid"}),
        critical_writes_are_quick,
    ),
    "C17": Claim(
        "in a hybrid, the first request after a rebind takes ten to fifty milliseconds more",
        frozenset({"hybrid"}),
        rebind_costs_the_first_request,
        CRASHES,
    ),
    "C37": Claim(
        "failover is automatic when a server dies", frozenset(STRATEGIES), fails_over_by_itself, CRASHES
    ),
    "C40": Claim(
        "a session is copied in less than a tenth of a second", frozenset({"replicated"}), copied_in_time
    ),
    "C07": Claim(
        "a sliding TTL collects idle carts and keeps those in use", frozenset(STRATEGIES), idle_carts_go
    ),
    "C29": Claim("the session store becomes critical", CENTRAL | NAIVE, store_is_critical),
    "retry-once": Claim(
        "asking again is safe with a key, and a second order without one",
        frozenset(STRATEGIES),
        a_key_makes_one_of_two,
    ),
    "split-brain": Claim(
        "whoever serves on during a split shows it afterwards", frozenset({"replicated"}), two_sides
    ),
    "lost-update": Claim("read, change, write loses changes of others", NAIVE, lost_update),
    "home-again": Claim("whoever is sent home again finds everything", CENTRAL, home_loses_again),
    "others-untouched": Claim("carts on the other servers are untouched", LOCAL, others_are_untouched),
    "memory-stays-gone": Claim("memory does not come back with the server", LOCAL, memory_stays_gone, ENDS),
}
