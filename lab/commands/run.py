"""``cartlab run SCENARIO``: flags in, a checked ``RunSettings`` out, and on to the show."""

from __future__ import annotations

import secrets
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from lab.arms import GRAMMAR, read_arms
from lab.cluster.abilities import check_strategies
from lab.cluster.foreign.finding import find
from lab.commands.help_pages import exit_code_table
from lab.commands.parameters import Named, Share, asked_platform, docker_option, platform_for, swarm_option
from lab.commands.what_to_try import own_command
from lab.errors import UsageProblem
from lab.faults import FAULTS
from lab.prediction import guess, options
from lab.scenarios import SCENARIOS
from lab.settings import AT_ONCE, DEFAULT_SHOPPERS, MOST_SHOPPERS, RunSettings, read_expectations
from lab.targets import BIGGEST, Target
from lab.topology import BALANCERS, OURS, Platform, behind
from lab.verdict import EXPECTATIONS
from lab.view import keys, question
from lab.workload.shapes import THRONG

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lab.prediction import Guess
    from lab.scenario import Scenario
    from lab.topology import Arm

EPILOG = f"""
\b
Examples:
  cartlab run crash                            both designs, side by side
  cartlab run crash --arms sticky --step       one design, at a teacher's pace
  cartlab run crash --arms memory,write_through,hybrid,stateless     as many as you like, one table
  cartlab run crash --fast --no-input --json   for scripts and CI
  cartlab run crash --expect sticky=kept       expect the wrong thing: exit code 1

{exit_code_table()}
"""


@click.command(epilog=EPILOG)
@click.argument("scenario", type=Named("scenario", SCENARIOS))
@click.option(
    "--arms",
    metavar="ARM,...",
    help=f"What to compare: sticky, stateless, or {GRAMMAR}.  [default: the scenario's]",
)
@click.option(
    "--at-once",
    type=click.IntRange(1, 4),
    help=f"How many arms run at the same time.  [default: {AT_ONCE}, or the scenario's]",
)
@click.option(
    "--shoppers",
    type=click.IntRange(1, 1_000_000),
    help=f"How many people shop.  [default: {DEFAULT_SHOPPERS}, or the scenario's]",
)
@click.option("--servers", type=click.IntRange(2, 12), default=3, show_default=True, help="Servers an arm.")
@click.option(
    "--lb",
    type=Named("balancer", {name: name for name in BALANCERS}),
    default=OURS,
    show_default=True,
    metavar="|".join(BALANCERS),
    help="The balancer: the lab's, or one from PATH.",
)
@docker_option
@swarm_option
@click.option("--seed", type=click.IntRange(0), help="Same seed, same shoppers. Default: a new one, printed.")
@click.option(
    "--crash",
    "crash",
    metavar="biggest|SERVER|N%",
    help="Who dies: the server with most carts, a named one, or a share of them.  "
    f"[default: {BIGGEST}, or the scenario's]",
)
@click.option(
    "--fault",
    type=Named("fault", {name: name for name in FAULTS}),
    metavar="|".join(FAULTS),
    help="What happens to it.  [default: the scenario's]",
)
@click.option(
    "--keyless",
    type=Share(),
    default="0%",
    show_default=True,
    help="Share of shoppers who send no Idempotency-Key.",
)
@click.option("--fast", is_flag=True, help="No pauses for eyes.")
@click.option("--step", is_flag=True, help="Wait for Enter between acts: a teacher's pace.")
@click.option("--plain", is_flag=True, help="Line by line, without a screen.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
@click.option("--no-input", is_flag=True, help="Never ask, never wait for a key.")
@click.option(
    "--expect",
    metavar="ARM=WHAT,...",
    help=f"{', '.join(EXPECTATIONS)}, an arm each.  [default: what its servers promise]",
)
@click.option(
    "--runs",
    type=click.Path(file_okay=False, path_type=Path),
    default="runs",
    show_default=True,
    help="Folder that keeps what a run leaves.",
)
@click.option(
    "--redis-url",
    metavar="URL",
    envvar="CARTLAB_REDIS_URL",
    help="Use this Redis or Valkey instead of starting one.",
)
def run(
    scenario: Scenario, *, arms: str | None, at_once: int | None, servers: int, lb: str, docker: bool,
    swarm: bool, seed: int | None, crash: str | None, fault: str | None, fast: bool, step: bool, plain: bool,
    as_json: bool, no_input: bool, expect: str | None, shoppers: int | None, keyless: int, runs: Path,
    redis_url: str | None,
) -> int:  # fmt: skip
    """Run SCENARIO on real processes, break what it breaks, heal it, and judge every cart.

    'cartlab list' tells which scenarios there are.

    The exit code says whether each design did what was expected of it. Losing carts is what is
    expected of the sticky one, so a run in which it loses them, and the other keeps them, is green.
    """
    if step and no_input:
        raise click.UsageError("--step waits for Enter and --no-input never waits: give one of the two.")
    chosen = _fitted(scenario, read_arms(arms or ",".join(scenario.arms), servers), lb)
    if lb != OURS:
        find(lb)  # before anything starts
    check_strategies(chosen)
    target = Target(crash or scenario.crash)
    target.check(chosen[0].server_names)
    platform = asked_platform(docker=docker, swarm=swarm)
    _check_homes(chosen, platform)
    fault = _fault(scenario, fault, chosen, platform)
    platform = platform_for(platform, lb=lb, redis_url=redis_url)
    settings = RunSettings(
        scenario=scenario, arms=chosen, target=target, keyless=keyless, fast=fast,
        shoppers=_shoppers(scenario, shoppers),
        seed=secrets.randbelow(1_000_000) if seed is None else seed,
        fault=fault, expect=read_expectations(expect, chosen),
        runs=runs.absolute(), redis_url=redis_url, command=own_command(),
        at_once=at_once or scenario.at_once,
        platform=platform,
    )  # fmt: skip
    # Half of the lab hangs on this import, and no other command should wait for it.
    from lab.show import Output, show  # noqa: PLC0415

    expected = None if no_input or fast or as_json else _ask(settings)
    return show(settings, Output(plain=plain, as_json=as_json, step=step), expected)


def _fitted(scenario: Scenario, arms: Iterable[Arm], lb: str) -> tuple[Arm, ...]:
    """``arms`` behind ``lb``, set up as the scenario wants them."""
    return tuple(
        replace(
            behind(arm, lb),
            session_ttl=scenario.session_ttl,
            store_log=scenario.store_log,
            patience=scenario.patience,
        )
        for arm in arms
    )


def _ask(settings: RunSettings) -> Guess | None:
    """What whoever sits there expects; nobody is asked who could not answer, or would not see it."""
    console = Console()
    if not (keys.is_ours(sys.stdin) and console.is_terminal):
        return None
    chosen = question.ask(console, settings.scenario, options(settings.scenario, settings.seed))
    return guess(settings.scenario, chosen) if chosen else None


def _shoppers(scenario: Scenario, asked: int | None) -> int:
    if asked is not None and asked > MOST_SHOPPERS and scenario.workload != THRONG:
        raise UsageProblem(
            f"--shoppers {asked} was given; {scenario.name!r} follows everybody one by one, for which "
            f"{MOST_SHOPPERS} at most were expected. More are in the scenario 'black-friday'."
        )
    return asked or scenario.shoppers or DEFAULT_SHOPPERS


def _check_homes(arms: tuple[Arm, ...], platform: Platform) -> None:
    """A copying arm whose servers know nothing of each other would look like one that does not copy."""
    copying = [arm.name for arm in arms if arm.strategy == "replicated"]
    if copying and platform is not Platform.PROCESSES:
        raise UsageProblem(
            f"The arm {copying[0]} copies carts between servers that the lab introduces to each other,"
            f" which it does for plain processes only, not {platform.words}: leave out {platform.flag} or the"
            " arm."
        )


def _fault(scenario: Scenario, asked: str | None, arms: tuple[Arm, ...], platform: Platform) -> str | None:
    if scenario.fault is None and asked is not None:
        raise click.UsageError(
            f"Scenario {scenario.name!r} breaks nothing; --fault {asked} has no place in it."
        )
    fault = asked or scenario.fault
    if asked and scenario.fault and (about := FAULTS[scenario.fault].hits) is not FAULTS[asked].hits:
        alike = ", ".join(name for name, kind in FAULTS.items() if kind.hits is about)
        raise UsageProblem(
            f"--fault {asked} {FAULTS[asked].hits}; scenario {scenario.name!r} is about one that {about}. "
            f"Expected: {alike}. 'cartlab selftest --only {asked}' shows what {asked} does."
        )
    if platform is not Platform.PROCESSES and (scenario.session_ttl or not scenario.store_log):
        raise UsageProblem(
            f"Scenario {scenario.name!r} needs servers or a store set up in its own way; "
            f"it is possible {Platform.PROCESSES.flag} only."
        )
    if fault is not None and (refusal := FAULTS[fault].refusal(platform, arms)):
        raise UsageProblem(refusal)
    return fault
