"""``--arms``: what can be written, what it means, and what is refused with which words."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import pytest

from lab.arms import MOST, read_arms
from lab.errors import EnvironmentProblem, UsageProblem
from lab.promises import NAMES, Promises, promises_in
from lab.scenario import expected_of
from lab.scenarios import SCENARIOS
from lab.strategies import STRATEGIES
from lab.topology import FAILOVERS, TIES, Arm, behind, stateless_arm, sticky_arm

ALL_MADE = Promises(**dict.fromkeys(NAMES, True), bounded_loss=0)


def read(text: str) -> Arm:
    (arm,) = read_arms(text)
    return arm


@pytest.mark.parametrize(
    ("text", "name", "strategy", "option", "tie", "failover"),
    [
        ("memory", "memory", "memory", "", "learn", "rebalance"),
        ("memory/learn", "memory", "memory", "", "learn", "rebalance"),
        ("memory/cookie", "memory/cookie", "memory", "", "cookie", "rebalance"),
        ("memory/cookie/strict", "memory/cookie/strict", "memory", "", "cookie", "strict"),
        ("memory/learn/open", "memory/learn/open", "memory", "", "learn", "open"),
        ("stateless/learn", "stateless/learn", "stateless", "", "learn", "rebalance"),
        ("replicated:2", "replicated:2", "replicated", "2", "learn", "rebalance"),
        ("replicated:1/hash", "replicated:1/hash", "replicated", "1", "hash", "rebalance"),
        ("client_cookie", "client_cookie", "client_cookie", "", "none", "rebalance"),
    ],
)
def test_a_spec_is_an_arm_and_what_it_leaves_out_makes_sense(
    text: str, name: str, strategy: str, option: str, tie: str, failover: str
) -> None:
    arm = read(text)
    assert (arm.name, arm.strategy, arm.option) == (name, strategy, option)
    assert (arm.sticky, arm.failover) == (tie, failover)


def test_the_named_arms_are_what_they_were() -> None:
    assert read_arms("sticky, stateless", 4) == (sticky_arm(4), stateless_arm(4))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "arms were expected"),
        ("stickey", "'sticky'"),
        ("statless/learn", "'stateless'"),
        ("memory/", "STRATEGY[:OPTION]"),
        ("memory/cookie/strict/now", "STRATEGY[:OPTION]"),
        ("memory/cokie", "'cookie'"),
        ("memory/cookie/strickt", "'strict'"),
        ("memory:2", "memory has no options"),
        ("replicated:3", "Known: 1, 2, 1-sync, 2-sync"),
        ("sticky/cookie", "memory/learn"),
        ("stateless/none/open", "nobody is tied"),
        ("memory,sticky", "the same site"),
        ("memory,memory/learn", "the same site"),
        (",".join(f"{s}/{t}" for s in STRATEGIES for t in TIES), f"{MOST} at most"),
    ],
)
def test_nonsense_is_refused_in_words_that_help(text: str, says: str) -> None:
    with pytest.raises(UsageProblem) as refusal:
        read_arms(text)
    assert says in str(refusal.value)


def test_a_foreign_balancer_is_not_asked_for_what_the_lab_cannot_set_up_there() -> None:
    for text in ("memory/hash", "memory/cookie/strict"):
        with pytest.raises(UsageProblem, match="need --lb ours"):
            behind(read(text), "haproxy")


@pytest.mark.parametrize("tie", TIES)
@pytest.mark.parametrize("any_server", [True, False])
def test_only_a_lone_copy_without_a_way_back_is_expected_to_scatter(tie: str, *, any_server: bool) -> None:
    promises = replace(ALL_MADE, any_server=any_server)
    expected = expected_of(SCENARIOS["calm"], read(f"memory/{tie}"), promises)
    assert (expected == "scattered") == (not any_server and tie in ("none", "hash"))


@pytest.mark.parametrize(
    ("scenario", "not_made", "expected"),
    [
        ("crash", {}, "kept"),
        ("crash", {"survives_server_crash": False, "bounded_loss": None}, "lost"),
        ("crash", {"survives_server_crash": False, "bounded_loss": 64}, "bounded"),
        ("crash", {"survives_store_loss": False, "concurrent_adds": False}, "kept"),
        ("two-tabs", {"concurrent_adds": False}, "lost"),
        ("store-down", {"survives_store_loss": False}, "kept"),
        ("store-down", {"survives_store_crash": False}, "lost"),
        ("store-amnesia", {"survives_store_loss": False}, "lost"),
        ("expiry", {"survives_server_crash": False}, "expired"),
    ],
)
def test_an_expectation_follows_the_promises_and_not_the_name(
    scenario: str, not_made: dict[str, Any], expected: str
) -> None:
    promises = replace(ALL_MADE, **not_made)
    assert expected_of(SCENARIOS[scenario], read("sticky"), promises) == expected


@pytest.mark.parametrize("failover", FAILOVERS)
def test_the_name_of_an_arm_becomes_the_name_of_a_file(failover: str) -> None:
    assert read(f"replicated:1/cookie/{failover}").slug == f"replicated-1-cookie-{failover}"


def test_promises_are_read_from_what_the_servers_say() -> None:
    said = {"strategy": "memory", "promises": asdict(ALL_MADE) | {"where": "here", "sings": True}}
    assert promises_in(said) == ALL_MADE


@pytest.mark.parametrize("answer", [None, [], {}, {"promises": {"any_server": True}}, {"promises": None}])
def test_a_site_that_promises_nothing_is_refused_since_nobody_could_judge_it(answer: Any) -> None:
    with pytest.raises(EnvironmentProblem, match="GET /promises"):
        promises_in(answer)
