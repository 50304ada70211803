"""What people say about sticky sessions, beside what this run measured.

A claim is a finding, not a gate: one that turns out broken is the best lesson of all, so the exit
code follows the expectations on the arms (``lab.verdict``) and never the claims.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from lab.ledger import NO_ANSWER, Status
from lab.strategies import STRATEGIES
from lab.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from lab.ledger import CartResult, Ledger

Finding = tuple[Verdict, str]


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


def _takes_every_cart_along(ledger: Ledger) -> Finding:
    risk, lost = ledger.at_risk, _lost(ledger.at_risk)
    measured = f"{lost} of the {len(risk)} carts on {_crashed(ledger)} lost"
    return _verdict(shown=0 < len(risk) == lost, refuted=lost + _unread(risk) < len(risk)), measured


def _any_server_serves_it(ledger: Ledger) -> Finding:
    risk, lost = ledger.at_risk, _lost(ledger.carts)
    crashed = ledger.crash.servers if ledger.crash else frozenset()
    moved = sum(cart.first_server is not None and cart.first_server not in crashed for cart in risk)
    measured = (
        f"{lost} of {len(ledger.carts)} carts lost; {moved} of the {len(risk)} shoppers last served by "
        f"{_crashed(ledger)} went on with another server"
    )
    return _verdict(shown=moved > 0 and not _unread(ledger.carts), refuted=lost > 0), measured


def _no_loss_and_no_error(ledger: Ledger) -> Finding:
    lost, errors = _lost(ledger.carts), ledger.errors
    measured = (
        f"{lost} of {len(ledger.carts)} carts lost, {errors.seen} errors seen by shoppers "
        f"in {ledger.latency.n} requests "
        f"({errors.keyed} adds with a key, {errors.keyless} without, {errors.reads} reads)"
    )
    is_whole = bool(ledger.at_risk) and not _unread(ledger.carts)
    return _verdict(shown=is_whole, refuted=lost + errors.seen > 0), measured


def _crash_endpoint_and_read_back(ledger: Ledger) -> Finding:
    read = len(ledger.carts) - _unread(ledger.carts)
    measured = (
        f"POST /crash ended {_crashed(ledger)}; {read} of {len(ledger.carts)} carts were read back "
        f"through the balancer, {_lost(ledger.carts)} of them with items lost"
    )
    return _verdict(shown=bool(ledger.at_risk) and read == len(ledger.carts), refuted=False), measured


def _hits_everyone_pinned(ledger: Ledger) -> Finding:
    risk, noticed = ledger.at_risk, ledger.noticed
    hit = sum(cart.noticed is not None or cart.status is Status.LOST for cart in risk)
    share = 100 * len(risk) / max(1, len(ledger.carts))
    measured = (
        f"{len(risk)} of {len(ledger.carts)} shoppers ({share:.0f} %) were pinned to {_crashed(ledger)}, "
        f"and {hit} of them were hit"
    )
    if noticed.min is not None and noticed.max is not None:
        measured += (
            f"; the first saw it {1000 * noticed.min:.0f} ms after the crash, "
            f"the last on coming back after {1000 * noticed.max:.0f} ms"
        )
    return _verdict(shown=0 < len(risk) == hit, refuted=hit + _unread(risk) < len(risk)), measured


#: The three answers that a shopper can get after a crash, by ``X-Session-Origin``.
_AFTER_A_CRASH = {
    "none": "an empty session elsewhere",
    "new": "an empty session elsewhere",
    "backup": "loaded from a backup",
    "rebuilt": "loaded from a backup",
    "store": "loaded from the store",
    NO_ANSWER: NO_ANSWER,
}


def _one_of_three_answers(ledger: Ledger) -> Finding:
    answers: Counter[str] = Counter()
    for origin, n in ledger.first_origins.items():
        answers[_AFTER_A_CRASH.get(origin, f"none of the three ({origin})")] += n
    told = ", ".join(f"{n} x {words}" for words, n in answers.most_common()) or "nobody was hit"
    strange = set(ledger.first_origins) - set(_AFTER_A_CRASH)
    is_whole = bool(answers) and NO_ANSWER not in ledger.first_origins
    return _verdict(shown=is_whole, refuted=bool(strange)), f"first answers after the crash: {told}"


def _nothing_lost(ledger: Ledger) -> Finding:
    lost = _lost(ledger.carts)
    measured = f"{lost} of {len(ledger.carts)} carts lost, {ledger.errors.seen} errors seen by shoppers"
    is_whole = ledger.count(Status.KEPT) > 0 and not _unread(ledger.carts)
    return _verdict(shown=is_whole, refuted=lost > 0), measured


def _others_are_untouched(ledger: Ledger) -> Finding:
    others, lost = ledger.others, _lost(ledger.others)
    measured = f"{lost} of the {len(others)} carts elsewhere lost"
    return _verdict(shown=bool(others) and not _unread(others), refuted=lost > 0), measured


def _memory_stays_gone(ledger: Ledger) -> Finding:
    crash = ledger.crash
    if crash is None or crash.healed is None:
        return Verdict.CANNOT_TELL, f"{_crashed(ledger)} was not started again"
    risk = [cart for cart in ledger.at_risk if cart.read_at is not None and cart.read_at > crash.healed]
    back = sum(cart.status is not Status.LOST for cart in risk)
    measured = (
        f"{_crashed(ledger)} was started again {crash.healed - crash.at:.1f} s after the crash; "
        f"of the {len(risk)} carts it had held and that were read after that, {back} came back"
    )
    return _verdict(shown=0 < len(risk) == len(ledger.at_risk), refuted=back > 0), measured


def _lost_update(ledger: Ledger) -> Finding:
    pieces = ledger.pieces
    kept = pieces["acknowledged"] - pieces["lost"]
    measured = f"{kept} of {pieces['acknowledged']} acknowledged adds are in the carts"
    return _verdict(
        shown=pieces["lost"] > 0, refuted=not pieces["lost"] and pieces["acknowledged"] > 0
    ), measured


def _home_loses_again(ledger: Ledger) -> Finding:
    risk, lost = ledger.at_risk, _lost(ledger.at_risk)
    measured = (
        f"{lost} of {len(risk)} shoppers of {_crashed(ledger)} lost something, "
        f"{_lost(ledger.others)} of the other {len(ledger.others)}"
    )
    return _verdict(shown=bool(risk) and not _unread(ledger.carts), refuted=lost > 0), measured


def _idle_carts_go(ledger: Ledger) -> Finding:
    read = [cart for cart in ledger.carts if cart.idle is not None]
    gone = sorted(cart.idle or 0 for cart in read if cart.status is Status.LOST)
    alive = sorted(cart.idle or 0 for cart in read if cart.status is Status.KEPT)
    if not gone or not alive:
        return Verdict.CANNOT_TELL, f"{len(gone)} carts gone and {len(alive)} alive; both were needed"
    measured = (
        f"{len(gone)} carts gone, untouched for {gone[0]:.1f} s or longer; {len(alive)} alive, "
        f"untouched for {alive[-1]:.1f} s or less"
    )
    return _verdict(shown=alive[-1] < gone[0], refuted=alive[-1] >= gone[0]), measured


def _store_is_critical(ledger: Ledger) -> Finding:
    lost, errors = _lost(ledger.carts), ledger.errors.seen
    away = ledger.crash.healed - ledger.crash.at if ledger.crash and ledger.crash.healed else None
    measured = (
        f"the store was away for {away:.1f} s: " if away else "the store did not go away: "
    ) + f"{errors} errors in {ledger.latency.n} requests, {lost} of {len(ledger.carts)} carts lost"
    return _verdict(
        shown=away is not None and errors + lost > 0, refuted=away is not None and not errors + lost
    ), measured


#: Of these a process dies; with all of them its memory is gone.
CRASHES = frozenset({"kill", "endpoint"})
ENDS = CRASHES | {"stop", "restart"}
LOCAL = frozenset({"memory"})
CENTRAL = frozenset({"stateless", "write_through", "hybrid"})
NAIVE = frozenset({"naive_blob"})

#: The claims that a run can put a figure beside. C.. are the claims ledger's, names are the lab's own.
CLAIMS = {
    "C01": Claim(
        "a crashed sticky server takes every cart on it along", LOCAL, _takes_every_cart_along, CRASHES
    ),
    "C02": Claim(
        "with sessions in a store any server serves any request, and the same crash loses none",
        CENTRAL,
        _any_server_serves_it,
        CRASHES,
    ),
    "C09": Claim("a server failure costs no cart and no visible error", CENTRAL, _no_loss_and_no_error),
    "C10": Claim(
        "crash by an endpoint, verify with a client that builds a cart, crashes, reads it back",
        LOCAL | CENTRAL,
        _crash_endpoint_and_read_back,
        frozenset({"endpoint"}),
    ),
    "C20": Claim(
        "a server's death disconnects everyone pinned to it at once", LOCAL, _hits_everyone_pinned, CRASHES
    ),
    "C30": Claim("sticky can be right: while every server lives, it loses nothing", LOCAL, _nothing_lost),
    "C34": Claim(
        "after a crash: an empty session elsewhere, a backup, or the store",
        LOCAL | CENTRAL | frozenset({"replicated"}),
        _one_of_three_answers,
        CRASHES,
    ),
    "C07": Claim(
        "a sliding TTL collects idle carts and keeps those in use", frozenset(STRATEGIES), _idle_carts_go
    ),
    "C29": Claim("the session store becomes critical", CENTRAL | NAIVE, _store_is_critical),
    "lost-update": Claim("read, change, write loses changes of others", NAIVE, _lost_update),
    "home-again": Claim("whoever is sent home again finds everything", CENTRAL, _home_loses_again),
    "others-untouched": Claim("carts on the other servers are untouched", LOCAL, _others_are_untouched),
    "memory-stays-gone": Claim("memory does not come back with the server", LOCAL, _memory_stays_gone, ENDS),
}


def _verdict(*, shown: bool, refuted: bool) -> Verdict:
    """A counter-example outweighs everything; without one, only whole evidence lets a claim hold."""
    if refuted:
        return Verdict.BROKEN
    return Verdict.HELD if shown else Verdict.CANNOT_TELL


def _lost(carts: Iterable[CartResult]) -> int:
    return sum(cart.status is Status.LOST for cart in carts)


def _unread(carts: Iterable[CartResult]) -> int:
    return sum(cart.status is Status.UNAVAILABLE for cart in carts)


def _crashed(ledger: Ledger) -> str:
    return ledger.crash.whom if ledger.crash else "no server"
