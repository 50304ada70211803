"""``cartlab soak``: one design under steady load and random faults, until a promise breaks."""

from __future__ import annotations

import secrets
from dataclasses import replace
from pathlib import Path

import click

from lab.arms import GRAMMAR, read_arms
from lab.cluster.abilities import check_strategies
from lab.commands.help_pages import exit_code_table
from lab.commands.what_to_try import own_command
from lab.errors import UsageProblem

EPILOG = f"""
\b
Examples:
  cartlab soak --minutes 10                          stateless, everything that can be broken
  cartlab soak --minutes 2 --arm replicated:1-sync --faults kill,pause
  cartlab soak --trials 50 --faults kill --arm write_through     fifty kills in a row
  cartlab soak --arm naive_blob --hold-to concurrent_adds        a promise that it does not make

{exit_code_table()}
"""


@click.command(epilog=EPILOG)
@click.option("--arm", "arm", default="stateless", show_default=True, metavar="ARM", help=f"One {GRAMMAR}.")
@click.option(
    "--minutes", type=click.FloatRange(0.02, 1440), default=1.0, show_default=True, help="How long."
)
@click.option(
    "--trials", type=click.IntRange(1, 10_000), help="End after so many faults, not after --minutes."
)
@click.option("--faults", metavar="FAULT,...|none", help="Which ones.  [default: all that the arm can meet]")
@click.option("--seed", type=click.IntRange(0), help="Same seed, same soak. Default: a new one, printed.")
@click.option(
    "--shoppers", type=click.IntRange(1, 2_000), default=150, show_default=True, help="In one window."
)
@click.option("--servers", type=click.IntRange(2, 12), default=3, show_default=True)
@click.option(
    "--patience",
    type=click.FloatRange(0.1, 30),
    help="Seconds that checks, the store and other servers may take: more on a busy machine.",
)
@click.option("--no-store-log", is_flag=True, help="The store keeps no log: killed, it comes back empty.")
@click.option(
    "--hold-to", metavar="PROMISE,...", help="Judge by these too, though the servers do not promise them."
)
@click.option("--plain", is_flag=True, help="Figure and value on a line, parted by a tab.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
@click.option(
    "--runs",
    type=click.Path(file_okay=False, path_type=Path),
    default="runs",
    show_default=True,
    help="Folder that keeps what a run leaves.",
)
def soak(
    *, arm: str, minutes: float, trials: int | None, faults: str | None, seed: int | None, shoppers: int,
    servers: int, patience: float | None, no_store_log: bool, hold_to: str | None,
    plain: bool, as_json: bool, runs: Path,
) -> int:  # fmt: skip
    """Break one design at random, for as long as it takes, and judge every cart by what is promised.

    Ends at the first broken promise, with the smallest story that shows it and the line that does it again.
    """
    # The faults hang on half of the lab, and no other command should wait for it.
    from lab.soak import show  # noqa: PLC0415
    from lab.soak.settings import SoakSettings, read_faults, read_promises  # noqa: PLC0415

    chosen = read_arms(arm, servers)
    if len(chosen) != 1:
        raise UsageProblem(
            f"--arm {arm!r} was given; one arm was expected. Soak the others one after the other."
        )
    check_strategies(chosen)
    site = replace(chosen[0], store_log=not no_store_log, patience=patience)
    kinds = read_faults(faults, site)
    if trials and not kinds:
        raise UsageProblem("--trials counts faults, and --faults none leaves nothing to count.")
    settings = SoakSettings(
        arm=site, faults=kinds, minutes=minutes, trials=trials, shoppers=shoppers,
        seed=secrets.randbelow(1_000_000) if seed is None else seed,
        hold_to=read_promises(hold_to), runs=runs.absolute(), command=own_command(),
    )  # fmt: skip
    return show.soak(settings, show.Output(plain=plain, as_json=as_json))
