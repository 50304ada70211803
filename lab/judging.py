"""From what happened to what it means: every arm's ledger, judgement and claims. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.claims import ClaimResult, evaluate
from lab.ledger import Crash, Ledger
from lab.oracle import judge
from lab.verdict import Judgement, Verdict, judge_arm, worst

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lab.history import History
    from lab.settings import RunSettings
    from lab.timeline import Interval


@dataclass(frozen=True, slots=True)
class Findings:
    """``verdict`` is the worst of the arms'; claims are findings and change no exit code."""

    ledgers: dict[str, Ledger]
    judgements: tuple[Judgement, ...]
    claims: tuple[ClaimResult, ...]
    verdict: Verdict


def find(settings: RunSettings, history: History, intervals: Iterable[Interval]) -> Findings:
    listed = list(intervals)
    ledgers = {
        arm.name: judge(arm.name, history.operations, _crash(i for i in listed if i.arm == arm.name))
        for arm in settings.arms
    }
    judgements = tuple(judge_arm(ledger, settings.expect[arm]) for arm, ledger in ledgers.items())
    strategies = {arm.name: arm.strategy for arm in settings.arms}
    claims = tuple(evaluate(settings.scenario.claims, ledgers, strategies, fault=settings.fault))
    return Findings(ledgers, judgements, claims, worst(judgement.verdict for judgement in judgements))


def _crash(intervals: Iterable[Interval]) -> Crash | None:
    """The servers of one arm that died together, as one crash: it is healed when the last one is."""
    listed = list(intervals)
    if not listed:
        return None
    ends = [interval.end for interval in listed if interval.end is not None]
    return Crash(
        at=min(interval.begin for interval in listed),
        servers=frozenset(interval.target for interval in listed),
        healed=max(ends) if len(ends) == len(listed) else None,
    )
