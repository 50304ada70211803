"""From what happened to what it means: every arm's ledger, judgement and claims. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from lab.claims import ClaimResult, evaluate
from lab.ledger import BALANCER, STORE, Crash, Ledger
from lab.oracle import judge_carts
from lab.scenario import expected_of
from lab.verdict import Judgement, Verdict, judge_arm, worst

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lab.history import History
    from lab.promises import Promises
    from lab.settings import RunSettings
    from lab.timeline import Interval
    from lab.topology import Arm


@dataclass(frozen=True, slots=True)
class Pledge:
    """What one arm is judged against: what is ``expected`` of it, given what its servers promise."""

    expected: str
    promises: Promises
    session_ttl: float | None = None


def pledge_of(settings: RunSettings, arm: Arm, promises: Promises) -> Pledge:
    """Somebody's own expectation (``--expect``) goes before what the promises let expect."""
    expected = settings.expect.get(arm.name) or expected_of(settings.scenario, arm, promises)
    return Pledge(expected, promises, arm.session_ttl)


@dataclass(frozen=True, slots=True)
class Findings:
    """``verdict`` is the worst of the arms'; claims are findings and change no exit code."""

    ledgers: dict[str, Ledger]
    judgements: tuple[Judgement, ...]
    claims: tuple[ClaimResult, ...]
    verdict: Verdict


def find(
    settings: RunSettings,
    history: History,
    intervals: Iterable[Interval],
    pledges: Mapping[str, Pledge],
    known: Mapping[str, Ledger] = MappingProxyType({}),
    servers: Mapping[str, Mapping[str, Mapping[str, float]]] = MappingProxyType({}),
) -> Findings:
    """``known`` are the ledgers of arms that were judged before: what they did is over.

    ``servers`` is what each arm's servers said about themselves.
    """
    listed = list(intervals)
    ledgers = {
        arm.name: known.get(arm.name)
        or replace(
            judge_carts(arm.name, history.carts(arm.name), _crash(i for i in listed if i.arm == arm.name)),
            servers=servers.get(arm.name, {}),
        )
        for arm in settings.arms
    }
    judgements = tuple(_judged(ledger, pledges[arm]) for arm, ledger in ledgers.items())
    strategies = {arm.name: arm.strategy for arm in settings.arms}
    claims = tuple(evaluate(settings.scenario.claims, ledgers, strategies, fault=settings.fault))
    return Findings(ledgers, judgements, claims, worst(judgement.verdict for judgement in judgements))


def _judged(ledger: Ledger, pledge: Pledge) -> Judgement:
    return judge_arm(ledger, pledge.expected, bound=pledge.promises.bounded_loss, ttl=pledge.session_ttl)


def _crash(intervals: Iterable[Interval]) -> Crash | None:
    """What of one arm failed together, as one crash: it is healed when the last of it is."""
    listed = list(intervals)
    if not listed:
        return None
    ends = [interval.end for interval in listed if interval.end is not None]
    return Crash(
        at=min(interval.begin for interval in listed),
        servers=frozenset(interval.target for interval in listed) - {STORE, BALANCER},
        store=any(interval.target == STORE for interval in listed),
        healed=max(ends) if len(ends) == len(listed) else None,
    )
