"""``cartlab selftest``: proof that each fault does what it says, and nothing at strength 0."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.text import Text

from lab.commands.help_pages import exit_code_table
from lab.errors import unknown
from lab.faults import FAULTS
from lab.verdict import ExitCode, Verdict, worst
from lab.view.glyphs import ASCII, BAD, BUSY, GOOD, UNICODE

if TYPE_CHECKING:
    from lab.selftest.trial import Trial

_STYLES = {Verdict.HELD: GOOD, Verdict.BROKEN: BAD, Verdict.CANNOT_TELL: BUSY}
_CODES = (ExitCode.HELD, ExitCode.BROKEN, ExitCode.USAGE, ExitCode.CANNOT_TELL, ExitCode.ENVIRONMENT)


@click.command(epilog=exit_code_table(*_CODES))
@click.option("--only", metavar="FAULT,...", help="Not all faults, but these.")
@click.option("--plain", is_flag=True, help="One line a fault, values apart by tabs.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def selftest(*, only: str | None, plain: bool, as_json: bool) -> int:
    """Put every fault to the test, on small sites of real processes.

    Its symptom must come within its time, strength 0 must change nothing, and after healing all must be
    as before. It takes about a minute.
    """
    names = [name.strip() for name in (only or ",".join(FAULTS)).split(",") if name.strip()]
    if strangers := [name for name in names if name not in FAULTS]:
        raise unknown("fault", strangers[0], FAULTS)
    from lab.selftest.session import examine  # noqa: PLC0415 - half of the lab hangs on this

    console = Console(highlight=False)

    def tell(trial: Trial) -> None:
        if plain:
            click.echo("\t".join(_cells(trial)))
        elif not as_json:
            console.print(_line(trial, ascii_only=console.options.ascii_only), soft_wrap=True)

    if not plain and not as_json:
        console.print(Text(_ROW.format("", "", *_HEADS), style="bold"), soft_wrap=True)
    trials = asyncio.run(examine(list(dict.fromkeys(names)), tell))
    verdict = worst(trial.verdict for trial in trials)
    if as_json:
        click.echo(json.dumps({"verdict": verdict, "faults": [asdict(trial) for trial in trials]}, indent=2))
    elif not plain:
        held = sum(trial.verdict is Verdict.HELD for trial in trials)
        console.print(f"{held} of {len(trials)} faults do what they say.")
    return verdict.exit_code


_HEADS = ("fault", "seen", "within", "healed", "read", "at 0", "symptom")
_ROW = "{0:1} {1:<11}  {2:<17} {3:>6} {4:>6} {5:>6} {6:>8} {7:>8}  {8}"


def _line(trial: Trial, *, ascii_only: bool) -> Text:
    glyphs = ASCII if ascii_only else UNICODE
    shapes = {Verdict.HELD: glyphs.done, Verdict.BROKEN: glyphs.down, Verdict.CANNOT_TELL: glyphs.error}
    text = Text(_ROW.format(shapes[trial.verdict], *_cells(trial)))
    text.stylize(_STYLES[trial.verdict], 0, 13)
    return text


def _cells(trial: Trial) -> tuple[str, ...]:
    said = f"{trial.symptom}: {trial.reason}" if trial.reason else trial.symptom
    return (
        trial.verdict.value,
        trial.fault,
        _seconds(trial.seen),
        _seconds(trial.within),
        _seconds(trial.healed),
        _milliseconds(trial.read_before),
        _milliseconds(trial.read_at_zero),
        said,
    )


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} s"


def _milliseconds(value: float | None) -> str:
    return "-" if value is None else f"{value * 1000:.1f} ms"
