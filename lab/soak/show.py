"""One soak from the command line's point of view: a site up, windows judged, told, written down, all gone."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from lab.alongside import alongside
from lab.cluster.family import Family
from lab.cluster.limits import raise_file_limit
from lab.cluster.processes import open_sites
from lab.errors import LabError
from lab.history import History
from lab.interruption import interruptible
from lab.report.folder import RunFolder
from lab.report.recording import to_lines
from lab.soak.soak import Soak
from lab.soak.words import as_facts, as_lines, not_promised, progress
from lab.verdict import ExitCode, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lab.history import Operation
    from lab.soak.settings import SoakSettings
    from lab.timeline import Timeline

#: Seconds between two lines of progress.
PROGRESS_EVERY = 3.0


@dataclass(frozen=True, slots=True)
class Output:
    """``plain``: figure and value on a line, parted by a tab. Without either, sentences."""

    plain: bool = False
    as_json: bool = False


def soak(settings: SoakSettings, output: Output) -> int:
    """The exit code."""
    raise_file_limit()
    return asyncio.run(Show(settings, output).run())


class Show:
    def __init__(self, settings: SoakSettings, output: Output) -> None:
        self._settings = settings
        self._output = output
        self._started = datetime.now(UTC)
        self._zero = time.monotonic()
        self._folder = RunFolder.create(settings.runs, "soak", self._started)
        self._soak: Soak | None = None
        self._folder.write("summary.md", "## Soak: no verdict\n\nIt did not end.\n")
        self._folder.point_latest()

    async def run(self) -> int:
        with interruptible(self._say, lambda: None) as interruption:
            try:
                await self._run()
            except asyncio.CancelledError:
                if not interruption.came:
                    raise
                return self._end(ExitCode.INTERRUPTED, "interrupted by the user, after healing")
            except LabError as problem:
                self._end(problem.exit_code, str(problem))
                raise
        return self._end(self._verdict().exit_code)

    async def _run(self) -> None:
        arm = self._settings.arm
        self._say(
            f"{arm.name}, seed {self._settings.seed}, faults: {', '.join(self._settings.faults) or 'none'}"
        )
        async with (
            Family("run", "soak", self._folder.log) as family,
            open_sites(
                [arm], family, links=self._settings.links, clock=self._now, on_change=self._on_change
            ) as sites,
        ):
            self._soak = Soak(self._settings, sites[arm.name], self._now, self._keep)
            self._zero = time.monotonic()
            async with alongside(self._tell(self._soak)):
                await self._soak.run()

    def _on_change(self, change: Any) -> None:
        if self._soak:
            self._soak.timeline.record(change)

    def _keep(self, operations: Sequence[Operation], timeline: Timeline) -> None:
        """What happened in a window goes to the disk at once: memory holds one window."""
        self._append("history.jsonl", History(list(operations)).to_lines())
        self._append("timeline.jsonl", to_lines(timeline))

    def _append(self, name: str, lines: Iterable[str]) -> None:
        with (self._folder.path / name).open("a", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)

    async def _tell(self, soak: Soak) -> None:
        while True:
            await asyncio.sleep(PROGRESS_EVERY)
            self._say(progress(self._now(), soak.tally, soak.timeline.fault_intervals()))

    def _say(self, text: str) -> None:
        click.echo(text, err=True)

    def _now(self) -> float:
        return time.monotonic() - self._zero

    def _verdict(self) -> Verdict:
        if self._soak is None or not self._soak.tally.acknowledged:
            return Verdict.CANNOT_TELL
        if self._soak.breach:
            return Verdict.BROKEN
        return Verdict.CANNOT_TELL if self._soak.tally.unread else Verdict.HELD

    def _end(self, code: ExitCode, problem: str | None = None) -> int:
        record = self._record(code, problem)
        self._folder.write("soak.json", json.dumps(record, indent=2, ensure_ascii=False) + "\n")
        lines = as_lines(record)
        self._folder.write("summary.md", "\n".join([f"## Soak: {record['verdict']}", "", *lines]) + "\n")
        self._folder.point_latest()
        if self._output.as_json:
            click.echo(json.dumps(record, ensure_ascii=False))
        elif self._output.plain:
            click.echo("\n".join(as_facts(record)))
        else:
            click.echo("\n".join(lines))
        return code

    def _record(self, code: ExitCode, problem: str | None) -> dict[str, Any]:
        soak, settings = self._soak, self._settings
        promises = soak.tally.promises if soak else None
        return {
            "verdict": "no verdict" if problem else self._verdict().value,
            "exit_code": int(code),
            "problem": problem,
            "arm": settings.arm.name,
            "seed": settings.seed,
            "seconds": round(self._now(), 1),
            "started": self._started.isoformat(timespec="seconds"),
            "promises": asdict(promises) if promises else None,
            "not_promised": not_promised(asdict(promises)) if promises else {},
            "figures": soak.tally.to_record() if soak else {},
            "broken": asdict(soak.breach) if soak and soak.breach else None,
            "story": soak.story if soak else [],
            "replay": settings.replay,
            "folder": str(self._folder.path),
        }
