"""``cartlab compare``: the same set of failures for every design, and one table of what each costs."""

from __future__ import annotations

import json
import secrets
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lab.arms import GRAMMAR, read_arms
from lab.cluster.abilities import known_strategies
from lab.commands.help_pages import exit_code_table
from lab.commands.what_to_try import own_command
from lab.settings import RunSettings
from lab.strategies import STRATEGIES
from lab.targets import Target
from lab.verdict import Verdict, worst

if TYPE_CHECKING:
    from lab.report.results import Results
    from lab.scenario import Scenario
    from lab.topology import Arm

EPILOG = f"""
\b
Examples:
  cartlab compare --fast                            every strategy, some minutes
  cartlab compare --fast --arms memory,stateless    two of them
  cartlab compare --fast --json                     for programs

{exit_code_table()}
"""


@click.command(epilog=EPILOG)
@click.option("--arms", metavar="ARM,...", help=f"Each {GRAMMAR}.  [default: every strategy]")
@click.option("--shoppers", type=click.IntRange(3, 20_000), default=90, show_default=True)
@click.option("--servers", type=click.IntRange(2, 12), default=3, show_default=True)
@click.option("--seed", type=click.IntRange(0), help="Same seed, same shoppers. Default: a new one, printed.")
@click.option("--fast", is_flag=True, help="As quick as the machine allows.")
@click.option("--plain", is_flag=True, help="Arm, figure and value on a line, parted by tabs.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
@click.option(
    "--runs",
    type=click.Path(file_okay=False, path_type=Path),
    default="runs",
    show_default=True,
    help="Folder that keeps what the runs leave.",
)
def compare(
    *, arms: str | None, shoppers: int, servers: int, seed: int | None,
    fast: bool, plain: bool, as_json: bool, runs: Path,
) -> int:  # fmt: skip
    """Run the standard set of failures on every design and print what each lost, cost and needs.

    Every figure is measured here and now; one that cannot be measured is a dash, and a note says why.
    """
    from lab import comparison  # noqa: PLC0415 - only this command should pay for it

    known = known_strategies()
    chosen = read_arms(arms or ",".join(name for name in STRATEGIES if name in known), servers)
    seed = secrets.randbelow(1_000_000) if seed is None else seed
    results: dict[str, Results] = {}
    for number, (name, scenario) in enumerate(comparison.STANDARD.items(), 1):
        click.echo(f"{number} of {len(comparison.STANDARD)}: {scenario.title}", err=True)
        results[name] = _run(scenario, chosen, shoppers, seed, runs, fast=fast)
    cells = comparison.table(results)
    if as_json:
        click.echo(json.dumps({"seed": seed, "shoppers": shoppers, "arms": cells, "notes": comparison.NOTES}))
    else:
        lines = comparison.as_records(cells) if plain else comparison.as_lines(cells)
        click.echo("\n".join(lines))
        click.echo(f"{shoppers} shoppers, {servers} servers, seed {seed}.", err=True)
    return worst(Verdict(run.verdict) for run in results.values()).exit_code


def _run(
    scenario: Scenario, arms: tuple[Arm, ...], shoppers: int, seed: int, runs: Path, *, fast: bool
) -> Results:
    from lab.show import Output, run  # noqa: PLC0415 - half of the lab hangs on this import

    settings = RunSettings(
        scenario=scenario,
        arms=tuple(replace(arm, store_log=scenario.store_log) for arm in arms),
        shoppers=scenario.shoppers or shoppers,
        seed=seed,
        target=Target("biggest"),
        fault=scenario.fault,
        keyless=0,
        fast=fast,
        expect={},
        runs=runs.absolute(),
        redis_url=None,
        command=own_command(),
    )
    return run(settings, Output(silent=True))
