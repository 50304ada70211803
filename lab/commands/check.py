"""``cartlab check``: every scenario declaration is sound, or the defect is named."""

from __future__ import annotations

import click

from lab.commands.help_pages import exit_code_table
from lab.declarations import defects
from lab.scenarios import SCENARIOS
from lab.verdict import ExitCode


@click.command(epilog=exit_code_table(ExitCode.HELD, ExitCode.BROKEN))
def check() -> int:
    """Validate every scenario: unique names, a lesson, a hint, an expectation for each arm.

    For authors of scenarios, and for CI.
    """
    found = defects(SCENARIOS)
    for defect in found:
        click.echo(f"defect  {defect}")
    click.echo(f"{len(SCENARIOS)} scenarios checked, {len(found)} defects.")
    return ExitCode.BROKEN if found else ExitCode.HELD
