"""``cartlab claims``: what is said, what was last measured here, and which command measures it."""

from __future__ import annotations

import json
import shutil
import textwrap
from pathlib import Path
from typing import Any

import click

from lab import sayings
from lab.commands.what_to_try import own_command

#: Of a claim that a command shows, and that nobody has run here.
_NOT_RUN = "not run here yet"
_NOT_SHOWN = "not shown yet"
#: Columns where nobody says how many there are, and the least that are written.
_WIDTH, _NARROWEST = 100, 60


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
@click.option(
    "--runs",
    type=click.Path(file_okay=False, path_type=Path),
    default="runs",
    show_default=True,
    help="Folder with what earlier runs left.",
)
def claims(*, as_json: bool, runs: Path) -> None:
    """List what people say about sticky sessions, each with the last figure measured here.

    A claim may turn out wrong or half true: then its verdict says so.
    """
    measured = _last_measured(runs)
    found = [_entry(claim, measured.get(claim, [])) for claim in sayings.everything()]
    if as_json:
        click.echo(json.dumps({"claims": found}, indent=2, ensure_ascii=False))
        return
    for entry in found:
        _echo(f"{entry['id']:<18} ", entry["said"])
        for figure in entry["measured"]:
            _echo(f"{'':<18}   {figure['verdict']:<11} ", f"{figure['arm']}: {figure['measured']}")
        if not entry["measured"]:
            _echo(f"{'':<18}   ", entry["state"])
        if entry["command"]:
            # Never broken: it is there to be copied.
            click.echo(f"{'':<18}   try {entry['command']}")
    shown = sum(entry["command"] is not None for entry in found)
    click.echo(f"\n{len(found)} claims, {shown} with a command that shows them.")


def _echo(label: str, text: str) -> None:
    """``text`` beside ``label``, wrapped where the terminal ends."""
    width = max(_NARROWEST, shutil.get_terminal_size((_WIDTH, 0)).columns)
    click.echo(textwrap.fill(text, width, initial_indent=label, subsequent_indent=" " * len(label)))


def _entry(claim: str, figures: list[dict[str, Any]]) -> dict[str, Any]:
    words = sayings.shown_by(claim)
    state = "measured" if figures else _NOT_RUN if words else _NOT_SHOWN
    command = f"{own_command()} {words}" if words else None
    return {
        "id": claim,
        "said": sayings.said(claim),
        "state": state,
        "command": command,
        "measured": figures,
    }


def _last_measured(runs: Path) -> dict[str, list[dict[str, Any]]]:
    """Claim to its figures in the newest run that has any. What nobody can read is passed over."""
    newest: dict[str, tuple[str, list[dict[str, Any]]]] = {}
    for path in runs.glob("*/*/results.json"):
        if path.parts[-3] == "latest":
            continue
        try:
            results = json.loads(path.read_text(encoding="utf-8"))
            started, listed = results["started"], results["claims"]
        except (OSError, ValueError, KeyError, TypeError):
            continue
        for claim in {each["id"] for each in listed}:
            if started >= newest.get(claim, ("", []))[0]:
                figures = [{"run": str(path.parent), **each} for each in listed if each["id"] == claim]
                newest[claim] = (started, figures)
    return {claim: figures for claim, (_, figures) in newest.items()}
