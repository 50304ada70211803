"""Held, broken, or cannot tell: the verdict on an arm, on a run, and the exit code that says it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING

from lab.ledger import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lab.ledger import Ledger


class Verdict(StrEnum):
    HELD = "held"
    BROKEN = "broken"
    CANNOT_TELL = "cannot tell"

    @property
    def exit_code(self) -> ExitCode:
        return _EXIT_CODES[self]


class ExitCode(IntEnum):
    """What ``cartlab run`` tells the program that called it."""

    HELD = 0, "every expectation held"
    BROKEN = 1, "an expectation was broken"
    USAGE = 2, "the command was called wrongly"
    CANNOT_TELL = 3, "cannot tell: evidence is missing"
    ENVIRONMENT = 4, "the environment is not ready (a port, the store, Python)"
    ABORTED = 5, "stopped by an abort rule"
    HEALING_FAILED = 6, "healing failed: something was left behind"
    LAB_CRASHED = 70, "the lab itself crashed"
    INTERRUPTED = 130, "interrupted by the user, after healing"

    meaning: str

    def __new__(cls, code: int, meaning: str) -> ExitCode:  # noqa: PYI034 - enum members are no subclass
        member = int.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member


_EXIT_CODES = {
    Verdict.HELD: ExitCode.HELD,
    Verdict.BROKEN: ExitCode.BROKEN,
    Verdict.CANNOT_TELL: ExitCode.CANNOT_TELL,
}


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict on one arm: what was ``expected``, and ``reason`` why it is what it is."""

    arm: str
    expected: str
    verdict: Verdict
    reason: str
    sentence: str


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Of the arms of one run. A broken promise outweighs missing evidence; no verdict is no evidence."""
    found = set(verdicts)
    for verdict in (Verdict.BROKEN, Verdict.CANNOT_TELL):
        if verdict in found:
            return verdict
    return Verdict.HELD if found else Verdict.CANNOT_TELL


def judge_arm(
    ledger: Ledger, expected: str, *, bound: int | None = None, ttl: float | None = None
) -> Judgement:
    """Whether the arm did what was ``expected`` of it.

    ``bound`` is how many acknowledged changes a *bounded* one may lose, ``ttl`` after how many seconds
    an *expired* one lets go of a cart that nobody touches.
    """
    if expected == "bounded":
        verdict, reason = _oddities(ledger) or _judge_bounded(ledger, bound or 0)
    elif expected == "expired":
        verdict, reason = _oddities(ledger) or _judge_expired(ledger, ttl or 0.0)
    elif rule := _rule(expected, ledger):
        verdict, reason = _oddities(ledger) or rule(ledger)
    else:
        known = ", ".join(EXPECTATIONS)
        raise ValueError(f"an arm was expected to be {expected!r}; expected one of: {known}")
    return Judgement(ledger.arm, expected, verdict, reason, sentence(ledger))


def _oddities(ledger: Ledger) -> tuple[Verdict, str] | None:
    """What no expectation allows."""
    if ledger.strangers:
        return Verdict.BROKEN, f"{_carts(ledger.strangers)} showed items that their shopper never asked for"
    odd = ledger.count(Status.DUPLICATED, Status.UNEXPECTED)
    return (Verdict.BROKEN, f"{_carts(odd)} held more than was ever added") if odd else None


def _judge_kept(ledger: Ledger) -> tuple[Verdict, str]:
    """What was asked for twice, without a key, may be there twice: nobody promised otherwise."""
    lost, unread = ledger.count(Status.LOST), ledger.count(Status.UNAVAILABLE)
    if lost:
        return Verdict.BROKEN, f"expected every cart kept; {_carts(lost)} lost acknowledged items"
    if back := ledger.count(Status.RESURRECTED):
        return Verdict.BROKEN, f"expected every cart kept; in {_carts(back)} is what had been taken out"
    if unread:
        return Verdict.CANNOT_TELL, f"{_carts(unread)} could not be read back"
    if not any(cart.promised for cart in ledger.carts):
        return Verdict.CANNOT_TELL, "no add was acknowledged, so there was nothing to keep"
    return Verdict.HELD, "every acknowledged item was read back"


def _judge_lost(ledger: Ledger) -> tuple[Verdict, str]:
    elsewhere = sum(cart.status is Status.LOST for cart in ledger.others)
    lost = sum(cart.status is Status.LOST for cart in ledger.at_risk)
    unread = ledger.count(Status.UNAVAILABLE)
    if elsewhere:
        return Verdict.BROKEN, f"{_carts(elsewhere)} lost items though their server did not crash"
    if not ledger.at_risk:
        return Verdict.CANNOT_TELL, "no cart lived on a server that crashed"
    if unread:
        return Verdict.CANNOT_TELL, f"{_carts(unread)} could not be read back"
    if not lost and any(cart.status is Status.UNKNOWN for cart in ledger.at_risk):
        return Verdict.CANNOT_TELL, "of the carts at risk none is surely lost, and not all are surely kept"
    if not lost:
        return Verdict.BROKEN, f"expected losses; all {_carts(len(ledger.at_risk))} at risk were kept"
    return Verdict.HELD, f"{lost} of the {_carts(len(ledger.at_risk))} at risk lost items, and no other cart"


def _judge_lost_without_a_crash(ledger: Ledger) -> tuple[Verdict, str]:
    """What the design itself loses: updates of many at once, a change whose answer got lost."""
    lost, unread = ledger.count(Status.LOST), ledger.count(Status.UNAVAILABLE)
    if lost:
        return Verdict.HELD, f"{_carts(lost)} lost acknowledged items, and nothing had failed"
    if unread:
        return Verdict.CANNOT_TELL, f"{_carts(unread)} could not be read back"
    return Verdict.CANNOT_TELL, "nothing failed and nothing was lost; what may be lost need not be"


def _judge_diverged(ledger: Ledger) -> tuple[Verdict, str]:
    """Two sides went apart and were made one again: what one of them did may be undone."""
    lost, back = ledger.count(Status.LOST), ledger.count(Status.RESURRECTED)
    unread = ledger.count(Status.UNAVAILABLE)
    told = f"{_carts(lost)} lost acknowledged items, in {back} is what had been taken out"
    if lost or back:
        return Verdict.HELD, told
    if unread:
        return Verdict.CANNOT_TELL, f"{_carts(unread)} could not be read back"
    return Verdict.CANNOT_TELL, f"{told}; what may go apart need not"


def _judge_bounded(ledger: Ledger, bound: int) -> tuple[Verdict, str]:
    """A lost item is at least one lost change and at most as many as pieces of it are missing.

    An item that came back is the lost change that had taken it out.
    """
    missing = [item.promised - (item.found or 0) for item in ledger.lost_items]
    missing += [1] * ledger.item_counts[Status.RESURRECTED]
    unread = ledger.count(Status.UNAVAILABLE)
    told = f"{len(missing)} to {sum(missing)} acknowledged changes lost; {bound} at most were expected"
    if len(missing) > bound:
        return Verdict.BROKEN, told
    if sum(missing) > bound or unread:
        return Verdict.CANNOT_TELL, f"{told}, and {_carts(unread)} could not be read back" if unread else told
    return Verdict.HELD, told


#: Seconds after its time that a cart may still be shown: stores and servers sweep now and then.
_SWEPT_WITHIN = 1.0


def _judge_expired(ledger: Ledger, ttl: float) -> tuple[Verdict, str]:
    """Who was away for longer than the TTL finds nothing, who was not finds everything."""
    read = [cart for cart in ledger.carts if cart.idle is not None]
    idle = [cart for cart in read if (cart.idle or 0) > ttl + _SWEPT_WITHIN]
    busy = [cart for cart in read if (cart.idle or 0) < ttl]
    alive = sum(cart.status is not Status.LOST for cart in idle)
    gone = sum(cart.status is Status.LOST for cart in busy)
    told = f"{_carts(len(idle) - alive)} of {len(idle)} idle ones gone, {gone} of {len(busy)} busy ones"
    if lasting := sum(ledger.of_servers("keys_without_ttl")):
        return Verdict.BROKEN, f"{lasting:.0f} keys in the store would stay for ever; {told}"
    if alive or gone:
        return Verdict.BROKEN, f"expected every idle cart gone and every busy one kept; {told}"
    if not idle or not busy:
        return Verdict.CANNOT_TELL, f"both idle and busy carts were needed; {told}"
    return Verdict.HELD, told


def _judge_scattered(ledger: Ledger) -> tuple[Verdict, str]:
    lost, unread = ledger.count(Status.LOST), ledger.count(Status.UNAVAILABLE)
    if lost:
        return Verdict.HELD, f"{_carts(lost)} lost items, for nothing leads a shopper back to their server"
    if unread:
        return Verdict.CANNOT_TELL, f"{_carts(unread)} could not be read back"
    return Verdict.BROKEN, "expected losses even without a failure; every acknowledged item was read back"


def _rule(expected: str, ledger: Ledger) -> Callable[[Ledger], tuple[Verdict, str]] | None:
    if expected == "lost" and ledger.crash is None:
        return _judge_lost_without_a_crash
    return _RULES.get(expected)


#: What an arm can be expected to do with the carts: keep all; lose those that were at risk, or no
#: more changes than it said; lose some although nothing failed, for nothing leads shoppers back to
#: them; let go of those that nobody touched, and of no others; show the traces of two sides that
#: went apart.
EXPECTATIONS = ("kept", "lost", "bounded", "scattered", "expired", "diverged")
_RULES: dict[str, Callable[[Ledger], tuple[Verdict, str]]] = {
    "kept": _judge_kept,
    "lost": _judge_lost,
    "scattered": _judge_scattered,
    "diverged": _judge_diverged,
}


def sentence(ledger: Ledger) -> str:
    """The verdict for a learner, in one sentence of figures."""
    total, lost = len(ledger.carts), ledger.count(Status.LOST)
    facts = [_losses(ledger)] if lost else [f"{ledger.count(Status.KEPT)} of {total} kept", *_service(ledger)]
    for status, words in _ALSO.items():
        if n := ledger.count(status):
            facts.append(f"{n} {words}")
    if ledger.strangers:
        facts.append(f"{ledger.strangers} shown somebody else's items")
    return f"{ledger.arm}: {', '.join(facts)}"


def _losses(ledger: Ledger) -> str:
    total, lost = len(ledger.carts), ledger.count(Status.LOST)
    if not ledger.crash or not ledger.at_risk:
        pieces = ledger.pieces
        left = pieces["acknowledged"] - pieces["lost"]
        return f"{lost} of {_carts(total)} lost items: {left} of {pieces['acknowledged']} pieces left"
    there = sum(cart.status is Status.LOST for cart in ledger.at_risk)
    others = len(ledger.others)
    also = "" if ledger.crash.store else f"; {lost - there} of the other {others}"
    return f"{there} of {_carts(total)} lost with {ledger.crash.whom}{also}"


def _service(ledger: Ledger) -> list[str]:
    moved, errors = ledger.answered_elsewhere, ledger.errors.seen
    return [
        f"{moved} request{'' if moved == 1 else 's'} answered by another server",
        f"{errors} error{'' if errors == 1 else 's'} seen by shoppers",
    ]


_ALSO = {
    Status.UNAVAILABLE: "unavailable",
    Status.DUPLICATED: "with duplicates",
    Status.UNEXPECTED: "with unexpected items",
    Status.RESURRECTED: "with resurrected items",
    Status.DOUBLED: "with pieces asked for twice",
    Status.UNKNOWN: "unknown",
}


def _carts(n: int) -> str:
    return f"{n} cart{'' if n == 1 else 's'}"
