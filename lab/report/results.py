"""The result of a run as one value: what ``results.json`` holds and ``--json`` prints. Pure.

Times are seconds since the run began; only ``started`` is a date, RFC 3339 in UTC. ``schema`` grows
by one when a field goes or changes its meaning, not when one comes. ``docs/results.schema.json`` is
drawn from these classes.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from lab.timeline import ActBegan, ArmReady, Costed, RunEnded

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from lab.judging import Findings, Pledge
    from lab.prediction import Guess
    from lab.settings import RunSettings
    from lab.timeline import Timeline
    from lab.topology import Arm

SCHEMA = 1
#: The verdict of a run that was never judged.
NO_VERDICT = "no verdict"


@dataclass(frozen=True, slots=True)
class Topology:
    strategy: str
    sticky: str
    balance: str
    servers: tuple[str, ...]
    store: str | None
    option: str
    failover: str


@dataclass(frozen=True, slots=True)
class ArmResult:
    """``ledger`` is ``lab.ledger.Ledger.to_record()``; it and the verdict are None in an arm never judged.

    ``promises`` are what its cart servers said, and ``expected`` what follows from them. ``store`` is
    what the shopping of a calm run cost the store, in its own counts. ``costs`` are known
    where they were measured: in the scenario black-friday.
    """

    topology: Topology
    promises: dict[str, Any] | None
    expected: str | None
    verdict: str | None
    reason: str | None
    sentence: str | None
    ledger: dict[str, Any] | None
    store: dict[str, Any] | None
    costs: Costs | None


@dataclass(frozen=True, slots=True)
class Costs:
    """CPU seconds by kind of program in ``seconds`` of shopping, and the most memory of all, in bytes."""

    requests: int
    seconds: float
    cpu: dict[str, float]
    memory: int
    shares: dict[str, int]


@dataclass(frozen=True, slots=True)
class Claim:
    """What is said, beside what this run measured. A claim may be broken while the run is as expected."""

    id: str
    arm: str
    said: str
    measured: str
    verdict: str


@dataclass(frozen=True, slots=True)
class Fault:
    """``end`` is None for a fault that was not healed."""

    arm: str
    fault: str
    target: str
    begin: float
    end: float | None


@dataclass(frozen=True, slots=True)
class Act:
    act: str
    began: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """What somebody said before the run that they expect; a wrong one names its ``misconception``."""

    chosen: str
    right: str
    is_right: bool
    misconception: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """``prediction`` is None where nobody was asked, or nobody answered.

    ``problem`` says why there is no verdict, when the lab itself failed or was interrupted.
    """

    schema: int
    scenario: str
    title: str
    question: str
    started: str
    seconds: float
    seed: int
    shoppers: int
    fault: str | None
    crash: str
    keyless: int
    verdict: str
    exit_code: int
    problem: str | None
    take_away: str
    lesson: str
    prediction: Prediction | None
    arms: dict[str, ArmResult]
    claims: tuple[Claim, ...]
    faults: tuple[Fault, ...]
    acts: tuple[Act, ...]
    versions: dict[str, str]
    repeat: str

    def to_record(self) -> dict[str, Any]:
        """As plain JSON values: lists instead of tuples, times to the microsecond."""
        record: dict[str, Any] = _plain(asdict(self))
        return record


def results_of(
    settings: RunSettings,
    timeline: Timeline,
    findings: Findings | None,
    *,
    started: datetime,
    ended: float,
    exit_code: int,
    versions: Mapping[str, str],
    problem: str | None = None,
    pledges: Mapping[str, Pledge],
    store_use: Mapping[str, dict[str, Any]],
    guess: Guess | None = None,
) -> Results:
    """``findings`` is None for a run that ended before it could be judged; ``problem`` then says why."""
    scenario = settings.scenario
    return Results(
        schema=SCHEMA,
        scenario=scenario.name,
        title=scenario.title,
        question=scenario.question,
        started=started.isoformat(timespec="seconds").replace("+00:00", "Z"),
        seconds=round(ended, 3),
        seed=settings.seed,
        shoppers=settings.shoppers,
        fault=settings.fault,
        crash=settings.target.text,
        keyless=settings.keyless,
        verdict=findings.verdict.value if findings else NO_VERDICT,
        exit_code=int(exit_code),
        problem=problem,
        take_away=scenario.what_you_learn,
        lesson=scenario.lesson,
        prediction=_prediction(guess),
        arms=dict(_arms(settings, timeline, findings, pledges, store_use)),
        claims=_claims(findings),
        faults=_faults(timeline),
        acts=_acts(timeline, ended),
        versions=dict(versions),
        repeat=settings.repeat_command,
    )


def _arms(
    settings: RunSettings,
    timeline: Timeline,
    findings: Findings | None,
    pledges: Mapping[str, Pledge],
    store_use: Mapping[str, dict[str, Any]],
) -> Iterator[tuple[str, ArmResult]]:
    for arm in settings.arms:
        yield arm.name, _arm(timeline, findings, arm, pledges.get(arm.name), store_use.get(arm.name))


def _prediction(guess: Guess | None) -> Prediction | None:
    if guess is None:
        return None
    chosen = guess.chosen
    return Prediction(chosen.text, guess.right.text, chosen.is_right, chosen.misconception or None)


def store_of(timeline: Timeline) -> str | None:
    """Kind and version of the store that was used, if any arm had one."""
    return next((e.store for e in timeline.events if isinstance(e, ArmReady) and e.store), None)


def _arm(
    timeline: Timeline,
    findings: Findings | None,
    arm: Arm,
    pledge: Pledge | None,
    store: dict[str, Any] | None,
) -> ArmResult:
    ready = next((e for e in timeline.events if isinstance(e, ArmReady) and e.arm == arm.name), None)
    judgement = next((j for j in findings.judgements if j.arm == arm.name), None) if findings else None
    topology = Topology(
        arm.strategy,
        arm.sticky,
        arm.balance,
        arm.server_names,
        ready.store if ready else None,
        arm.option,
        arm.failover,
    )
    return ArmResult(
        topology=topology,
        promises=asdict(pledge.promises) if pledge else None,
        expected=pledge.expected if pledge else None,
        verdict=judgement.verdict.value if judgement else None,
        reason=judgement.reason if judgement else None,
        sentence=judgement.sentence if judgement else None,
        ledger=findings.ledgers[arm.name].to_record() if findings else None,
        store=store,
        costs=_costs(arm, timeline),
    )


def _faults(timeline: Timeline) -> tuple[Fault, ...]:
    return tuple(
        Fault(i.arm, i.fault, i.target, round(i.begin, 3), None if i.end is None else round(i.end, 3))
        for i in timeline.fault_intervals()
    )


def _costs(arm: Arm, timeline: Timeline) -> Costs | None:
    costed = next((e for e in timeline.events if isinstance(e, Costed) and e.arm == arm.name), None)
    if costed is None:
        return None
    return Costs(costed.requests, costed.seconds, costed.cpu, costed.memory, costed.shares)


def _claims(findings: Findings | None) -> tuple[Claim, ...]:
    results = findings.claims if findings else ()
    return tuple(Claim(c.id, c.arm, c.said, c.measured, c.verdict.value) for c in results)


def _acts(timeline: Timeline, ended: float) -> tuple[Act, ...]:
    begun = [event for event in timeline.events if isinstance(event, ActBegan)]
    last = next((event.at for event in timeline.events if isinstance(event, RunEnded)), ended)
    ends = [*(act.at for act in begun[1:]), last]
    return tuple(
        Act(a.act, round(a.at, 3), round(end - a.at, 3)) for a, end in zip(begun, ends, strict=False)
    )


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return round(value, 6) if isinstance(value, float) else value
