"""One run from the command line's point of view: sites up, acts played, judged, written down, all gone."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from lab import acts
from lab.archive import Archive
from lab.cluster.family import Family
from lab.cluster.limits import raise_file_limit
from lab.cluster.processes import open_sites
from lab.errors import LabError
from lab.faults import FAULTS, story_of
from lab.interruption import interruptible
from lab.judging import find
from lab.onrush import Onrush
from lab.pace import Pace
from lab.report import files
from lab.report.folder import RunFolder
from lab.report.results import results_of, store_of
from lab.report.versions import versions
from lab.runner import Run
from lab.timeline import ArmReady, Judged, Noted, RunBegan, RunEnded, Timeline
from lab.topology import BALANCERS, Platform
from lab.verdict import ExitCode
from lab.view.choice import view_for
from lab.view.console import PatientConsole
from lab.workload.shapes import THRONG

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from contextlib import AbstractAsyncContextManager

    from lab.cluster.ports import Site
    from lab.judging import Findings, Pledge
    from lab.ledger import Ledger
    from lab.prediction import Guess
    from lab.report.results import Results
    from lab.settings import RunSettings
    from lab.topology import Arm
    from lab.workload.plan import Plan

#: Seconds for which the verdict stays on the screen before the terminal is given back.
VERDICT_STAYS = 4.0


@dataclass(frozen=True, slots=True)
class Output:
    """How a run is shown. ``step`` waits for Enter between acts; ``silent`` shows and prints nothing."""

    plain: bool = False
    as_json: bool = False
    step: bool = False
    silent: bool = False


def show(settings: RunSettings, output: Output, guess: Guess | None = None) -> int:
    """Run, show, judge and write down; the exit code. ``guess`` is what somebody expects to see."""
    return run(settings, output, guess).exit_code


def run(settings: RunSettings, output: Output, guess: Guess | None = None) -> Results:
    """The same, for who wants to know everything that was measured."""
    raise_file_limit()
    return asyncio.run(Show(settings, output, guess).run())


class Show:
    def __init__(self, settings: RunSettings, output: Output, guess: Guess | None = None) -> None:
        self._settings = settings
        self._guess = guess
        self._output = output
        self._started = datetime.now(UTC)
        self._zero = time.monotonic()
        self._timeline = Timeline()
        self._history = Archive()
        self._ledgers: dict[str, Ledger] = {}
        self._pledges: dict[str, Pledge] = {}
        self._store_use: dict[str, dict[str, Any]] = {}
        self._servers: dict[str, dict[str, dict[str, float]]] = {}
        self._folder = RunFolder.create(settings.runs, settings.scenario.name, self._started)
        self._below = _versions_below(settings.platform)
        self._view = view_for(
            PatientConsole(),
            self._now,
            arms=len(settings.rounds[0]),
            servers=settings.arms[0].servers,
            plain=output.plain,
            silent=output.as_json or output.silent,
        )
        self._pace = Pace(settings.fast, self._view.wait_for_enter if output.step else None)
        self._timeline.subscribers.append(self._view.handle)
        # From the first moment: after a run that was killed, runs/latest must not show an older one.
        self._folder.write(
            "summary.md", f"## {settings.scenario.title}: no verdict\n\nThe run did not end.\n"
        )
        self._folder.point_latest()

    async def run(self) -> Results:
        """Whatever happens, the run's folder tells it: also a run that ended early is written down."""
        with self._view, interruptible(self._say, self._leave) as interruption:
            try:
                results = await self._run()
            except asyncio.CancelledError:
                if not interruption.came:
                    raise
                results = self._write(None, ExitCode.INTERRUPTED, "interrupted by the user, after healing")
            except LabError as problem:
                self._print(self._write(None, problem.exit_code, str(problem)))
                raise
            except Exception as problem:
                self._print(self._write(None, ExitCode.LAB_CRASHED, f"the lab itself crashed: {problem!r}"))
                raise
        self._print(results)
        return results

    def _print(self, results: Results) -> None:
        if self._output.as_json:
            click.echo(files.as_json(results))

    async def _run(self) -> Results:
        rounds = self._settings.rounds
        plan: Plan | None = None
        victims: tuple[str, ...] = ()
        for number, arms in enumerate(rounds, 1):
            settings = replace(self._settings, arms=arms)
            self._timeline.record(self._frame(settings, number))
            async with self._sites(arms) as (family, sites):
                self._say_what_differs()
                run = self._round(settings, sites, family, victims, plan)
                await run.play()
                plan, victims = run.plan, run.victims
                self._pledges |= run.pledges
                self._store_use |= {arm: asdict(use) for arm, use in run.store_use.items()}
                self._servers |= run.servers
                self._timeline.record(acts.JUDGE.begins(self._now()))
                # Beside the screen and Ctrl-C: fifty thousand carts take seconds.
                self._announce(await asyncio.to_thread(self._find, settings))
                if number == len(rounds):
                    results = self._end()
                await self._pace.look(VERDICT_STAYS)
                await self._pace.before("the end" if number == len(rounds) else "the next arms")
        return results

    def _round(
        self,
        settings: RunSettings,
        sites: Mapping[str, Site],
        family: Family,
        victims: tuple[str, ...],
        plan: Plan | None,
    ) -> Run:
        frame = (settings, sites, self._timeline, self._now, self._pace, self._history, victims, plan)
        if settings.scenario.workload != THRONG:
            return Run(*frame)
        return Onrush(*frame, family=family, folder=self._folder.path, zero=self._zero, archive=self._history)

    def _say_what_differs(self) -> None:
        lb = self._settings.arms[0].lb
        if differs := BALANCERS[lb]:
            self._say(f"The balancer is {lb}: it {differs}.")

    def _find(self, settings: RunSettings) -> Findings:
        intervals = self._timeline.fault_intervals()
        findings = find(settings, self._history, intervals, self._pledges, self._ledgers, self._servers)
        self._ledgers |= findings.ledgers
        return findings

    @asynccontextmanager
    async def _sites(self, arms: tuple[Arm, ...]) -> AsyncIterator[tuple[Family, dict[str, Site]]]:
        name = self._settings.scenario.name
        async with (
            Family("run", name, self._folder.log) as family,
            self._open(arms, family) as sites,
        ):
            for arm in arms:
                site = sites[arm.name]
                self._timeline.record(
                    ArmReady(
                        self._now(),
                        arm.name,
                        arm.strategy,
                        arm.sticky,
                        arm.balance,
                        str(site.front),
                        arm.server_names,
                        site.store,
                    )
                )
            yield family, dict(sites)

    def _open(self, arms: tuple[Arm, ...], family: Family) -> AbstractAsyncContextManager[Mapping[str, Site]]:
        if self._settings.platform is Platform.DOCKER:
            from lab.cluster.compose.stack import open_stack  # noqa: PLC0415 - the SDK, only where asked for

            return open_stack(arms, family, clock=self._now, on_change=self._timeline.record)
        if self._settings.platform is Platform.SWARM:
            from lab.cluster.swarm.stack import open_swarm  # noqa: PLC0415 - the same

            return open_swarm(arms, family, clock=self._now, on_change=self._timeline.record)
        redis_url = self._settings.redis_url
        links = {side for each in self._settings.injections for side in FAULTS[each.fault].links}
        return open_sites(
            arms,
            family,
            redis_url=redis_url,
            links=links,
            clock=self._now,
            on_change=self._timeline.record,
        )

    def _frame(self, settings: RunSettings, number: int) -> RunBegan:
        scenario = settings.scenario
        played = story_of(settings.fault, settings.platform).acts if settings.fault else acts.CALM
        return RunBegan(
            self._now(),
            scenario.name,
            scenario.title,
            scenario.question,
            settings.seed,
            settings.shoppers,
            tuple(arm.name for arm in settings.arms),
            tuple(act.name for act in played),
            number,
            len(self._settings.rounds),
        )

    def _announce(self, findings: Findings) -> None:
        for judgement in findings.judgements:
            counts = findings.ledgers[judgement.arm].counts
            verdict, sentence = judgement.verdict.value, judgement.sentence
            self._timeline.record(
                Judged(self._now(), judgement.arm, verdict, sentence, counts, judgement.expected)
            )

    def _end(self) -> Results:
        """All arms of all rounds, judged together."""
        findings = self._find(self._settings)
        self._timeline.record(
            RunEnded(
                self._now(),
                findings.verdict.value,
                findings.verdict.exit_code,
                self._settings.scenario.what_you_learn,
                str(self._folder.path),
                tuple(self._guess.lines()) if self._guess else (),
            )
        )
        return self._write(findings, findings.verdict.exit_code)

    def _write(self, findings: Findings | None, exit_code: ExitCode, problem: str | None = None) -> Results:
        results = results_of(
            self._settings,
            self._timeline,
            findings,
            started=self._started,
            ended=self._now(),
            exit_code=exit_code,
            versions=versions(store_of(self._timeline), self._below),
            problem=problem,
            pledges=self._pledges,
            store_use=self._store_use,
            guess=self._guess,
        )
        files.write(self._folder, results, self._history, self._timeline)
        self._history.forget_parts()
        return results

    def _now(self) -> float:
        return time.monotonic() - self._zero

    def _say(self, text: str) -> None:
        self._timeline.record(Noted(self._now(), text))

    def _leave(self) -> None:
        self._view.__exit__(None, None, None)


def _versions_below(platform: Platform) -> dict[str, str]:
    if platform is Platform.PROCESSES:
        return {}
    from lab.cluster.compose.engine import versions as of_engine  # noqa: PLC0415 - the SDK, only where asked for

    return of_engine()
