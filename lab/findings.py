"""What one arm's ledger has to say about each claim: a verdict, and the figures in a sentence. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from lab.ledger import NO_ANSWER, Quantiles, Status
from lab.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lab.ledger import CartResult, Ledger

Finding = tuple[Verdict, str]


def takes_every_cart_along(ledger: Ledger) -> Finding:
    risk, lost = ledger.at_risk, _lost(ledger.at_risk)
    measured = f"{lost} of the {len(risk)} carts on {_crashed(ledger)} lost"
    return _verdict(shown=0 < len(risk) == lost, refuted=lost + _unread(risk) < len(risk)), measured


def any_server_serves_it(ledger: Ledger) -> Finding:
    risk, lost = ledger.at_risk, _lost(ledger.carts)
    crashed = ledger.crash.servers if ledger.crash else frozenset()
    moved = sum(cart.first_server is not None and cart.first_server not in crashed for cart in risk)
    measured = (
        f"{lost} of {len(ledger.carts)} carts lost; {moved} of the {len(risk)} shoppers last served by "
        f"{_crashed(ledger)} went on with another server"
    )
    return _verdict(shown=moved > 0 and not _unread(ledger.carts), refuted=lost > 0), measured


def no_loss_and_no_error(ledger: Ledger) -> Finding:
    lost, errors = _lost(ledger.carts), ledger.errors
    measured = (
        f"{lost} of {len(ledger.carts)} carts lost, {errors.seen} errors seen by shoppers "
        f"in {ledger.latency.n} requests "
        f"({errors.keyed} adds with a key, {errors.keyless} without, {errors.reads} reads)"
    )
    is_whole = bool(ledger.at_risk) and not _unread(ledger.carts)
    return _verdict(shown=is_whole, refuted=lost + errors.seen > 0), measured


def crash_endpoint_and_read_back(ledger: Ledger) -> Finding:
    read = len(ledger.carts) - _unread(ledger.carts)
    measured = (
        f"POST /crash ended {_crashed(ledger)}; {read} of {len(ledger.carts)} carts were read back "
        f"through the balancer, {_lost(ledger.carts)} of them with items lost"
    )
    return _verdict(shown=bool(ledger.at_risk) and read == len(ledger.carts), refuted=False), measured


def hits_everyone_pinned(ledger: Ledger) -> Finding:
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


def one_of_three_answers(ledger: Ledger) -> Finding:
    answers: Counter[str] = Counter()
    for origin, n in ledger.first_origins.items():
        answers[_AFTER_A_CRASH.get(origin, f"none of the three ({origin})")] += n
    told = ", ".join(f"{n} x {words}" for words, n in answers.most_common()) or "nobody was hit"
    strange = set(ledger.first_origins) - set(_AFTER_A_CRASH)
    is_whole = bool(answers) and NO_ANSWER not in ledger.first_origins
    return _verdict(shown=is_whole, refuted=bool(strange)), f"first answers after the crash: {told}"


def nothing_lost(ledger: Ledger) -> Finding:
    lost = _lost(ledger.carts)
    measured = f"{lost} of {len(ledger.carts)} carts lost, {ledger.errors.seen} errors seen by shoppers"
    is_whole = ledger.count(Status.KEPT) > 0 and not _unread(ledger.carts)
    return _verdict(shown=is_whole, refuted=lost > 0), measured


def others_are_untouched(ledger: Ledger) -> Finding:
    others, lost = ledger.others, _lost(ledger.others)
    measured = f"{lost} of the {len(others)} carts elsewhere lost"
    return _verdict(shown=bool(others) and not _unread(others), refuted=lost > 0), measured


def memory_stays_gone(ledger: Ledger) -> Finding:
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


def lost_update(ledger: Ledger) -> Finding:
    pieces = ledger.pieces
    kept = pieces["acknowledged"] - pieces["lost"]
    measured = f"{kept} of {pieces['acknowledged']} acknowledged adds are in the carts"
    return _verdict(
        shown=pieces["lost"] > 0, refuted=not pieces["lost"] and pieces["acknowledged"] > 0
    ), measured


def home_loses_again(ledger: Ledger) -> Finding:
    risk, lost = ledger.at_risk, _lost(ledger.at_risk)
    measured = (
        f"{lost} of {len(risk)} shoppers of {_crashed(ledger)} lost something, "
        f"{_lost(ledger.others)} of the other {len(ledger.others)}"
    )
    return _verdict(shown=bool(risk) and not _unread(ledger.carts), refuted=lost > 0), measured


def idle_carts_go(ledger: Ledger) -> Finding:
    read = [cart for cart in ledger.carts if cart.idle is not None]
    gone = sorted(cart.idle or 0 for cart in read if cart.status is Status.LOST)
    alive = sorted(cart.idle or 0 for cart in read if cart.status is Status.KEPT)
    if not gone or not alive:
        return Verdict.CANNOT_TELL, f"{len(gone)} carts gone and {len(alive)} alive; both were needed"
    measured = (
        f"{len(gone)} carts gone, untouched for {gone[0]:.1f} s or longer; {len(alive)} alive, "
        f"untouched for {alive[-1]:.1f} s or less"
    )
    lasting = ledger.of_servers("keys_without_ttl")
    measured += f"; {sum(lasting):.0f} keys in the store that would stay for ever" if lasting else ""
    return _verdict(shown=alive[-1] < gone[0], refuted=alive[-1] >= gone[0] or sum(lasting) > 0), measured


def store_is_critical(ledger: Ledger) -> Finding:
    lost, errors = _lost(ledger.carts), ledger.errors.seen
    away = ledger.crash.healed - ledger.crash.at if ledger.crash and ledger.crash.healed else None
    measured = (
        f"the store was away for {away:.1f} s: " if away else "the store did not go away: "
    ) + f"{errors} errors in {ledger.latency.n} requests, {lost} of {len(ledger.carts)} carts lost"
    return _verdict(
        shown=away is not None and errors + lost > 0, refuted=away is not None and not errors + lost
    ), measured


def a_key_makes_one_of_two(ledger: Ledger) -> Finding:
    """Where no answer came, whoever sent a key has what they wanted, and whoever did not has more."""
    pieces = ledger.pieces
    measured = (
        f"{pieces['doubled']} pieces are there twice, all asked for twice without a key; "
        f"{pieces['duplicated']} that were asked for with one, {pieces['lost']} lost"
    )
    return _verdict(
        shown=pieces["doubled"] > 0 and not _unread(ledger.carts), refuted=pieces["duplicated"] > 0
    ), measured


def copies_cost_messages(ledger: Ledger) -> Finding:
    sent, batches = sum(ledger.of_servers("sent")), sum(ledger.of_servers("batches"))
    writes, risk = ledger.writes.n, ledger.at_risk
    measured = (
        f"{sent / max(writes, 1):.1f} messages a write between the servers, "
        f"in {batches / max(writes, 1):.1f} requests; "
        f"{_lost(risk)} of the {len(risk)} carts on {_crashed(ledger)} lost"
    )
    return _verdict(shown=sent > 0 and writes > 0 and not _unread(ledger.carts), refuted=False), measured


#: Seconds that the claims speak of.
_CRITICAL_WRITE, _COPIED, _REBIND = 0.002, 0.1, (0.010, 0.050)


def critical_writes_are_quick(ledger: Ledger) -> Finding:
    writes = ledger.writes
    if writes.p50 is None or writes.p99 is None:
        return Verdict.CANNOT_TELL, "no write was answered"
    measured = (
        f"writes took p50 {1000 * writes.p50:.1f} ms, p99 {1000 * writes.p99:.1f} ms as shoppers see them, "
        "balancer included"
    )
    return _verdict(shown=writes.p99 <= _CRITICAL_WRITE, refuted=writes.p99 > _CRITICAL_WRITE), measured


def rebind_costs_the_first_request(ledger: Ledger) -> Finding:
    """Only answers that had to be rebuilt count: others were waited for because of the crash."""
    waits = (cart.first_took or 0.0 for cart in ledger.at_risk if cart.first_origin == "rebuilt")
    first, steady = Quantiles.of(waits), ledger.reads
    if first.p50 is None or first.max is None or steady.p50 is None:
        return Verdict.CANNOT_TELL, "nobody's session was rebuilt"
    more = first.p50 - steady.p50
    rebuilt, most = sum(ledger.of_servers("rebuilt")), max(ledger.of_servers("rebuilding_most"), default=0)
    measured = (
        f"{first.n} first answers were rebuilt: p50 {1000 * first.p50:.1f} ms, at most "
        f"{1000 * first.max:.1f} ms; in steady state p50 {1000 * steady.p50:.1f} ms; {rebuilt:.0f} rebuilds "
        f"in all, {most:.0f} at a time at most"
    )
    if steady.p50 > _REBIND[1]:
        return Verdict.CANNOT_TELL, f"{measured}: the machine is too busy to tell"
    is_so = _REBIND[0] <= more <= _REBIND[1]
    return _verdict(shown=is_so, refuted=not is_so), measured


def fails_over_by_itself(ledger: Ledger) -> Finding:
    if ledger.recovery is None:
        return Verdict.CANNOT_TELL, "nothing failed"
    again = sum(cart.first_origin is not None for cart in ledger.at_risk)
    measured = (
        f"{again} of the {len(ledger.at_risk)} shoppers of {_crashed(ledger)} were answered again, "
        f"by nobody's hand; the last error was seen {ledger.recovery:.2f} s after the crash"
    )
    return _verdict(shown=0 < again == len(ledger.at_risk), refuted=False), measured


def copied_in_time(ledger: Ledger) -> Finding:
    p50, p99 = ledger.of_servers("delay_p50_ms"), ledger.of_servers("delay_p99_ms")
    if not p99 or not max(p99):
        return Verdict.CANNOT_TELL, "no copy was timed"
    measured = f"copies arrived after p50 {max(p50):.1f} ms, p99 {max(p99):.1f} ms, at the slowest server"
    return _verdict(shown=max(p99) < 1000 * _COPIED, refuted=max(p99) >= 1000 * _COPIED), measured


def two_sides(ledger: Ledger) -> Finding:
    pieces = ledger.pieces
    measured = (
        f"{pieces['lost']} of {pieces['acknowledged']} acknowledged pieces lost, "
        f"{pieces['resurrected']} that had been taken out are back; "
        f"{ledger.stale} shoppers saw an older cart, {ledger.resurfaced} saw again what they had taken out"
    )
    traces = pieces["lost"] + pieces["resurrected"] + ledger.stale + ledger.resurfaced
    return _verdict(shown=traces > 0, refuted=False), measured


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
