"""The screen's facts line by line, one record a line: for pipes, logs, screen readers, small windows.

A record is ``second  arm  what  text``; columns stand still, so ``grep`` and ``awk`` can work.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, Self, TextIO

from lab.timeline import ActBegan, ArmReady, Costed, Judged, Noted, RunBegan, RunEnded, Sampled, ServerChanged
from lab.view import ahead, costs, keys, summary
from lab.view.glyphs import clean
from lab.view.state import State, server_changed, update

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from lab.timeline import Event

#: Seconds between two records of an arm's progress.
PROGRESS_EVERY = 2.0
EVERYBODY = "-"
#: Letters that the table of several rounds needs at least, however narrow the terminal.
TABLE = 120


class Record(NamedTuple):
    at: float
    arm: str
    what: str
    text: str

    def __str__(self) -> str:
        return self.line()

    def line(self, arm_width: int = 10) -> str:
        return f"{self.at:7.2f}  {self.arm:<{arm_width}}  {self.what:<11}  {clean(self.text)}"


class Plain:
    """A view like the screen, for any stream."""

    def __init__(self, console: Console, keyboard: TextIO = sys.stdin) -> None:
        self.state = State()
        self._console = console
        self._keyboard = keyboard
        self._progress_at: dict[str, float] = {}

    def handle(self, event: Event) -> None:
        before, self.state = self.state, update(self.state, event)
        for record in records(before, self.state, event):
            self._write(record)
        if isinstance(event, Sampled) and event.at >= self._progress_at.get(event.arm, 0.0):
            self._progress_at[event.arm] = event.at + PROGRESS_EVERY
            self._write(progress(self.state, event.arm, event.at))

    async def wait_for_enter(self, prompt: str) -> None:
        if keys.is_ours(self._keyboard):
            self._console.out(prompt, highlight=False)
            await keys.enter(self._keyboard)

    def _write(self, record: Record) -> None:
        names = self.state.run.arms if self.state.run else ()
        self._console.out(record.line(max(10, *map(len, names), 0)), highlight=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        if self.state.ended is None:
            self._console.out("No verdict: the run ended early.", highlight=False)
        elif self.state.past:
            # Set, for a print takes no more than the console has.
            self._console.width = max(TABLE, self._console.width)
            self._console.print(summary.panel(self.state))


def records(before: State, after: State, event: Event) -> Iterator[Record]:
    """What ``event`` is worth saying. Pure; most operations are worth nothing."""
    if isinstance(event, RunBegan | ActBegan | ArmReady | ServerChanged | Judged | RunEnded):
        yield from _milestone(event)
    if isinstance(event, Costed):
        yield Record(event.at, event.arm, "cost", costs.words(event))
    if isinstance(event, Noted) and event.arm is None:
        yield Record(event.at, EVERYBODY, "note", event.text)
    if isinstance(event, RunBegan):
        return  # other arms than before
    for old, new in zip(before.arms, after.arms, strict=False):
        if new.happenings is not old.happenings and not isinstance(event, ServerChanged):
            last = new.happenings[-1]
            yield Record(last.at, new.name, last.mark, last.text)


def _milestone(event: RunBegan | ActBegan | ArmReady | ServerChanged | Judged | RunEnded) -> Iterator[Record]:
    match event:
        case RunBegan():
            yield Record(event.at, EVERYBODY, "run", f"{event.scenario}: {event.question}")
            yield Record(event.at, EVERYBODY, "run", f"{event.shoppers:,} shoppers, seed {event.seed}")
        case ActBegan():
            yield Record(event.at, EVERYBODY, "act", f"{event.act}: {event.sentence}")
            if event.look_at:
                yield Record(event.at, EVERYBODY, "look at", event.look_at)
        case ArmReady():
            facts = (
                f"balancer {event.address}, sticky {event.sticky}, balance {event.balance}, "
                f"strategy {event.strategy}, servers {' '.join(event.servers)}, store {event.store or 'none'}"
            )
            yield Record(event.at, event.arm, "ready", facts)
        case ServerChanged():
            yield Record(event.at, event.arm, "server", server_changed(event))
        case Judged():
            counts = ", ".join(f"{count:,} {word}" for word, count in event.counts.items())
            yield Record(event.at, event.arm, "carts", counts)
            expected = f" (expected: {event.expected})" if event.expected else ""
            yield Record(event.at, event.arm, "verdict", f"{event.verdict}{expected}: {event.sentence}")
        case RunEnded():
            yield Record(event.at, EVERYBODY, "verdict", f"{event.verdict}, exit code {event.exit_code}")
            for line in event.answer:
                yield Record(event.at, EVERYBODY, "expected", line)
            yield Record(event.at, EVERYBODY, "rule", event.take_away)
            yield Record(event.at, EVERYBODY, "files", event.folder)


def progress(state: State, name: str, at: float) -> Record:
    """Traffic, carts and every server of an arm, in one line."""
    arm, flow = state.arm(name), state.flow(name)
    left = ahead.words(replace(state, now=at))
    traffic = flow.traffic
    facts = [
        f"{traffic.requests:,} requests ({flow.rate.per_second(at)}/s)",
        f"{traffic.elsewhere:,} redirected",
        f"{traffic.failed + traffic.unknown:,} errors ({traffic.unknown:,} unknown)",
        f"{traffic.kept:,} carts filled",
        f"{traffic.lost:,} emptied",
        f"{traffic.unanswered:,} unavailable",
    ]
    servers = []
    for server in arm.servers:
        carts = "" if server.carts is None else f" {server.carts:,} carts"
        cpu = "" if server.cpu is None else f" {server.cpu:.0f}% CPU"
        servers.append(
            f"{server.name} {server.state}{carts} {flow.rate_of(server.name).per_second(at)}/s{cpu}"
        )
    return Record(
        at, arm.name, "progress", "; ".join([*([left] if left else []), ", ".join(facts), *servers])
    )


if __name__ == "__main__":
    from rich.console import Console as Terminal

    from lab.view.sample import events

    with Plain(Terminal()) as lines:
        for sample in events():
            lines.handle(sample)
