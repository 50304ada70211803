from __future__ import annotations

from dataclasses import replace

import pytest

from lab.history import Outcome
from lab.ledger import CartResult, Crash, Errors, ItemResult, Ledger, Quantiles, Status
from lab.verdict import ExitCode, Verdict, judge_arm, sentence, worst

HELD, BROKEN, CANNOT_TELL = Verdict.HELD, Verdict.BROKEN, Verdict.CANNOT_TELL
CRASH = Crash(at=10.0, servers=frozenset({"server-2"}), healed=20.0)


def carts(n: int, status: Status, home: str | None, *, strangers: tuple[str, ...] = ()) -> list[CartResult]:
    found = {Status.KEPT: 1, Status.LOST: 0, Status.UNAVAILABLE: None}.get(status, 2)
    items = (ItemResult("tea", 1, 1, found, status),) if home else ()
    return [CartResult(shopper=0, status=status, items=items, home=home, strangers=strangers)] * n


def ledger(*groups: list[CartResult], crash: Crash | None = CRASH, moved: int = 0, errors: int = 0) -> Ledger:
    return Ledger(
        arm="arm",
        crash=crash,
        carts=tuple(cart for group in groups for cart in group),
        operations=dict.fromkeys(Outcome, 0),
        errors=Errors(keyed=errors),
        answered_elsewhere=moved,
        latency=Quantiles(0),
    )


KEPT_THERE, LOST_THERE = carts(3, Status.KEPT, "server-2"), carts(3, Status.LOST, "server-2")
KEPT_HERE, LOST_HERE = carts(5, Status.KEPT, "server-1"), carts(1, Status.LOST, "server-1")
UNREAD_THERE, UNREAD_HERE = carts(1, Status.UNAVAILABLE, "server-2"), carts(1, Status.UNAVAILABLE, "server-1")
UNKNOWN = carts(1, Status.UNKNOWN, "server-1")
TWICE = carts(1, Status.DUPLICATED, "server-1")
UNEXPECTED = carts(1, Status.UNEXPECTED, "server-1")
STRANGE = carts(1, Status.KEPT, "server-1", strangers=("gun",))
IDLE = carts(2, Status.UNKNOWN, None)

EXPECTATIONS = {
    "kept: all were": ("kept", ledger(KEPT_HERE, KEPT_THERE), HELD),
    "kept: one unanswered add got through": ("kept", ledger(KEPT_HERE, UNKNOWN), HELD),
    "kept: some lost": ("kept", ledger(KEPT_HERE, LOST_THERE), BROKEN),
    "kept: some lost and some unread": ("kept", ledger(LOST_THERE, UNREAD_HERE), BROKEN),
    "kept: a duplicate": ("kept", ledger(KEPT_HERE, TWICE), BROKEN),
    "kept: an unexpected item": ("kept", ledger(KEPT_HERE, UNEXPECTED), BROKEN),
    "kept: a stranger's item on the way": ("kept", ledger(KEPT_HERE, STRANGE), BROKEN),
    "kept: one unread": ("kept", ledger(KEPT_HERE, UNREAD_HERE), CANNOT_TELL),
    "kept: nothing was acknowledged": ("kept", ledger(IDLE), CANNOT_TELL),
    "kept: nobody came": ("kept", ledger(), CANNOT_TELL),
    "lost: exactly there": ("lost", ledger(KEPT_HERE, LOST_THERE), HELD),
    "lost: there, in part": ("lost", ledger(KEPT_HERE, LOST_THERE, KEPT_THERE), HELD),
    "lost: none was": ("lost", ledger(KEPT_HERE, KEPT_THERE), BROKEN),
    "lost: elsewhere too": ("lost", ledger(LOST_HERE, LOST_THERE), BROKEN),
    "lost: elsewhere, and nobody was at risk": ("lost", ledger(LOST_HERE), BROKEN),
    "lost: there, and a duplicate": ("lost", ledger(LOST_THERE, TWICE), BROKEN),
    "lost: there, but one elsewhere is unread": ("lost", ledger(LOST_THERE, UNREAD_HERE), CANNOT_TELL),
    "lost: the only one at risk is unread": ("lost", ledger(KEPT_HERE, UNREAD_THERE), CANNOT_TELL),
    "lost: nobody was at risk": ("lost", ledger(KEPT_HERE), CANNOT_TELL),
    "lost: nothing crashed": ("lost", ledger(KEPT_HERE, crash=None), CANNOT_TELL),
}


@pytest.mark.parametrize(("expected", "arm", "verdict"), EXPECTATIONS.values(), ids=EXPECTATIONS.keys())
def test_an_expectation_is(expected: str, arm: Ledger, verdict: Verdict) -> None:
    judgement = judge_arm(arm, expected)
    assert judgement.verdict is verdict
    assert judgement.reason


def test_an_unknown_expectation_is_refused_with_those_that_exist() -> None:
    with pytest.raises(ValueError, match="'kpet'; expected one of: kept, lost"):
        judge_arm(ledger(), "kpet")


SENTENCES = {
    "lost with a server": (
        ledger(carts(104, Status.LOST, "server-2"), carts(196, Status.KEPT, "server-1")),
        "arm: 104 of 300 carts lost with server-2; 0 of the other 196",
    ),
    "lost elsewhere": (
        ledger(LOST_HERE, KEPT_THERE),
        "arm: 0 of 4 carts lost with server-2; 1 of the other 1",
    ),
    "lost without a crash": (
        ledger(LOST_HERE, KEPT_HERE, crash=None),
        "arm: 1 of 6 carts lost items: 5 of 6 pieces left",
    ),
    "lost with two servers": (
        ledger(LOST_THERE, LOST_HERE, crash=Crash(1, frozenset({"server-2", "server-1"}))),
        "arm: 4 of 4 carts lost with server-1 and server-2; 0 of the other 0",
    ),
    "kept": (
        ledger(carts(300, Status.KEPT, "server-1"), moved=7),
        "arm: 300 of 300 kept, 7 requests answered by another server, 0 errors seen by shoppers",
    ),
    "kept, with an error": (
        ledger(KEPT_HERE, moved=1, errors=1),
        "arm: 5 of 5 kept, 1 request answered by another server, 1 error seen by shoppers",
    ),
    "all sorts": (
        ledger(KEPT_HERE, UNREAD_HERE, TWICE, UNEXPECTED, UNKNOWN, STRANGE),
        (
            "arm: 6 of 10 kept, 0 requests answered by another server, 0 errors seen by shoppers, "
            "1 unavailable, 1 with duplicates, 1 with unexpected items, 1 unknown, "
            "1 shown somebody else's items"
        ),
    ),
}


@pytest.mark.parametrize(("arm", "words"), SENTENCES.values(), ids=SENTENCES.keys())
def test_the_verdict_is_told_in_one_sentence(arm: Ledger, words: str) -> None:
    assert sentence(arm) == words


@pytest.mark.parametrize(
    ("verdicts", "whole"),
    [
        pytest.param([HELD, HELD], HELD, id="all held"),
        pytest.param([HELD, CANNOT_TELL], CANNOT_TELL, id="missing evidence outweighs held"),
        pytest.param([CANNOT_TELL, BROKEN, HELD], BROKEN, id="broken outweighs all"),
        pytest.param([], CANNOT_TELL, id="nothing judged is no evidence"),
    ],
)
def test_a_run_is_as_good_as_its_worst_arm(verdicts: list[Verdict], whole: Verdict) -> None:
    assert worst(verdicts) is whole


def test_exit_codes_are_the_published_ones_and_each_has_a_meaning() -> None:
    assert [code.value for code in ExitCode] == [0, 1, 2, 3, 4, 5, 6, 70, 130]
    assert all(code.meaning for code in ExitCode)
    assert [verdict.exit_code for verdict in (HELD, BROKEN, CANNOT_TELL)] == [0, 1, 3]


@pytest.mark.parametrize(("lasting", "verdict"), [(0, HELD), (2, BROKEN)])
def test_a_key_that_would_stay_for_ever_is_no_expiry(lasting: int, verdict: Verdict) -> None:
    gone = CartResult(shopper=1, status=Status.LOST, idle=9.0)
    busy = CartResult(shopper=2, status=Status.KEPT, idle=0.5)
    found = replace(
        ledger([gone], [busy], crash=None), servers={"store": {"keys": 5, "keys_without_ttl": lasting}}
    )
    assert judge_arm(found, "expired", ttl=2.0).verdict is verdict
