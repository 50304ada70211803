from __future__ import annotations

import pytest

from lab.claims import CLAIMS, evaluate
from lab.history import Outcome
from lab.ledger import CartResult, Crash, Errors, ItemResult, Ledger, Quantiles, Status
from lab.scenarios import SCENARIOS
from lab.verdict import Verdict

HELD, BROKEN, CANNOT_TELL = Verdict.HELD, Verdict.BROKEN, Verdict.CANNOT_TELL
CRASH = Crash(at=10.0, servers=frozenset({"server-2"}), healed=20.0)


def cart(
    status: Status,
    home: str = "server-2",
    *,
    origin: str | None = "store",
    noticed: float | None = None,
    read_at: float | None = 30.0,
) -> CartResult:
    return CartResult(
        shopper=0,
        status=status,
        items=(ItemResult("tea", 1, 1, 1, status),),
        home=home,
        read_at=None if status is Status.UNAVAILABLE else read_at,
        first_origin=origin,
        first_server="server-1" if origin else None,
        noticed=noticed,
    )


def ledger(*carts: CartResult, crash: Crash | None = CRASH, errors: Errors | None = None) -> Ledger:
    return Ledger(
        arm="sticky",
        crash=crash,
        carts=carts,
        operations=dict.fromkeys(Outcome, 0),
        errors=errors or Errors(),
        answered_elsewhere=0,
        latency=Quantiles(12, 0.001, 0.002, 0.003, 0.004, 0.005),
    )


KEPT, ELSEWHERE = cart(Status.KEPT), cart(Status.KEPT, "server-1")
LOST = cart(Status.LOST, origin="none", noticed=10.012)
UNREAD = cart(Status.UNAVAILABLE, origin=None)
UNHEALED = Crash(at=10.0, servers=frozenset({"server-2"}))

FINDINGS = {
    "C01 all gone": ("C01", ledger(LOST, LOST, ELSEWHERE), HELD, "2 of the 2 carts on server-2 lost"),
    "C01 one survived": ("C01", ledger(LOST, KEPT), BROKEN, "1 of the 2 carts on server-2 lost"),
    "C01 one unread": ("C01", ledger(LOST, UNREAD), CANNOT_TELL, "1 of the 2 carts on server-2 lost"),
    "C01 nobody there": ("C01", ledger(ELSEWHERE), CANNOT_TELL, "0 of the 0 carts on server-2 lost"),
    "C01 no crash": ("C01", ledger(ELSEWHERE, crash=None), CANNOT_TELL, "carts on no server lost"),
    "C02 none lost": ("C02", ledger(KEPT, ELSEWHERE), HELD, "0 of 2 carts lost; 1 of the 1 shoppers"),
    "C02 one lost": ("C02", ledger(KEPT, LOST), BROKEN, "1 of 2 carts lost"),
    "C02 one unread": ("C02", ledger(KEPT, UNREAD), CANNOT_TELL, "0 of 2 carts lost"),
    "C02 nobody moved": ("C02", ledger(cart(Status.KEPT, origin=None)), CANNOT_TELL, "0 of the 1 shoppers"),
    "C09 nothing seen": (
        "C09",
        ledger(KEPT),
        HELD,
        "0 of 1 carts lost, 0 errors seen by shoppers in 12 requests",
    ),
    "C09 an error": ("C09", ledger(KEPT, errors=Errors(keyless=2)), BROKEN, "2 errors seen"),
    "C09 a loss": ("C09", ledger(LOST), BROKEN, "1 of 1 carts lost"),
    "C09 no crash": ("C09", ledger(KEPT, crash=None), CANNOT_TELL, "0 of 1 carts lost"),
    "C10 read back": (
        "C10",
        ledger(LOST, ELSEWHERE),
        HELD,
        "POST /crash ended server-2; 2 of 2 carts were read back through the balancer, 1 of them",
    ),
    "C10 one unread": ("C10", ledger(LOST, UNREAD), CANNOT_TELL, "1 of 2 carts were read back"),
    "C20 all hit": (
        "C20",
        ledger(LOST, cart(Status.LOST, noticed=11.0), ELSEWHERE, ELSEWHERE),
        HELD,
        (
            "2 of 4 shoppers (50 %) were pinned to server-2, and 2 of them were hit; the first saw it 12 ms "
            "after the crash, the last on coming back after 1000 ms"
        ),
    ),
    "C20 one did not come back": (
        "C20",
        ledger(LOST, cart(Status.LOST)),
        HELD,
        "2 of 2 shoppers (100 %) were pinned to server-2, and 2 of them were hit; the first saw it 12 ms",
    ),
    "C20 one saw an error and kept the cart": (
        "C20",
        ledger(LOST, cart(Status.KEPT, noticed=12)),
        HELD,
        "and 2 of them were hit",
    ),
    "C20 one saw nothing": ("C20", ledger(LOST, KEPT), BROKEN, "and 1 of them were hit"),
    "C20 one is unread": ("C20", ledger(LOST, UNREAD), CANNOT_TELL, "and 1 of them were hit"),
    "C20 nobody pinned": ("C20", ledger(ELSEWHERE), CANNOT_TELL, "0 of 1 shoppers (0 %) were pinned"),
    "C30 nothing lost": ("C30", ledger(ELSEWHERE, crash=None), HELD, "0 of 1 carts lost, 0 errors"),
    "C30 lost": ("C30", ledger(LOST, crash=None), BROKEN, "1 of 1 carts lost"),
    "C34 empty": ("C34", ledger(LOST, LOST), HELD, "2 x an empty session elsewhere"),
    "C34 store": ("C34", ledger(KEPT), HELD, "1 x loaded from the store"),
    "C34 strange": (
        "C34",
        ledger(cart(Status.KEPT, origin="local")),
        BROKEN,
        "1 x none of the three (local)",
    ),
    "C34 silent": ("C34", ledger(KEPT, UNREAD), CANNOT_TELL, "1 x no answer"),
    "C34 nobody hit": ("C34", ledger(ELSEWHERE), CANNOT_TELL, "nobody was hit"),
    "others": ("others-untouched", ledger(LOST, ELSEWHERE), HELD, "0 of the 1 carts elsewhere lost"),
    "others hit": (
        "others-untouched",
        ledger(LOST, cart(Status.LOST, "server-1")),
        BROKEN,
        "1 of the 1 carts elsewhere lost",
    ),
    "memory gone": (
        "memory-stays-gone",
        ledger(LOST, ELSEWHERE),
        HELD,
        (
            "server-2 was started again 10.0 s after the crash; of the 1 carts it had held and that were "
            "read after that, 0 came back"
        ),
    ),
    "memory back": ("memory-stays-gone", ledger(LOST, KEPT), BROKEN, "1 came back"),
    "memory read too early": (
        "memory-stays-gone",
        ledger(cart(Status.LOST, read_at=15.0)),
        CANNOT_TELL,
        "of the 0 carts",
    ),
    "not healed": (
        "memory-stays-gone",
        ledger(LOST, crash=UNHEALED),
        CANNOT_TELL,
        "server-2 was not started again",
    ),
}


@pytest.mark.parametrize(("name", "arm", "verdict", "words"), FINDINGS.values(), ids=FINDINGS.keys())
def test_a_claim_meets_its_measurement(name: str, arm: Ledger, verdict: Verdict, words: str) -> None:
    found, measured = CLAIMS[name].measure(arm)
    assert words in measured
    assert found is verdict


def test_a_claim_is_measured_on_the_arms_it_speaks_about() -> None:
    ledgers = {"a": ledger(LOST), "b": ledger(KEPT), "c": ledger(KEPT)}
    strategies = {"a": "memory", "b": "stateless", "c": "client_cookie"}
    results = evaluate(["C34", "C02", "C01"], ledgers, strategies, fault="kill")
    assert [(result.id, result.arm, result.verdict) for result in results] == [
        ("C34", "a", HELD),
        ("C34", "b", HELD),
        ("C02", "b", HELD),
        ("C01", "a", HELD),
    ]


def test_a_claim_about_an_endpoint_is_left_out_when_the_fault_was_another() -> None:
    arms = {"sticky": ledger(LOST)}, {"sticky": "memory"}
    assert evaluate(["C10"], *arms, fault="kill") == []
    assert [result.id for result in evaluate(["C10"], *arms, fault="endpoint")] == ["C10"]


def test_an_unknown_claim_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ValueError, match=r"no claim 'memory-stay-gone'; .*'memory-stays-gone'"):
        evaluate(["memory-stay-gone"], {}, {}, fault=None)


def test_every_claim_that_a_scenario_names_can_be_measured() -> None:
    assert {claim for scenario in SCENARIOS.values() for claim in scenario.claims} <= set(CLAIMS)
