"""``cartlab list``: the scenarios, and what each of them teaches."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from lab.commands.what_to_try import own_command
from lab.scenarios import SCENARIOS


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object and nothing else.")
def list_scenarios(*, as_json: bool) -> None:
    """List the scenarios: what breaks, what you see, what you learn."""
    if as_json:
        click.echo(json.dumps({"scenarios": [asdict(scenario) for scenario in SCENARIOS.values()]}))
        return
    for scenario in SCENARIOS.values():
        click.echo(f"{scenario.name:<8} {scenario.title}")
        click.echo(f"         asks     {scenario.question}")
        click.echo(f"         breaks   {scenario.what_breaks}")
        click.echo(f"         you see  {scenario.what_you_see}")
        click.echo(f"         learn    {scenario.what_you_learn}")
        click.echo(f"         try      {own_command()} run {scenario.name}\n")
