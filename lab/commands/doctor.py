"""``cartlab doctor``: is this machine ready, and if not, what to do about it."""

from __future__ import annotations

import json
from dataclasses import asdict

import click
from rich.console import Console
from rich.text import Text

from lab.cluster.registry import Registry
from lab.commands.help_pages import exit_codes_mean
from lab.doctor import Finding, Level, examine
from lab.verdict import ExitCode
from lab.view.glyphs import ASCII, BAD, BUSY, GOOD, UNICODE

_CODES = {
    ExitCode.HELD: "everything is ok, or only less than it could be (warn)",
    ExitCode.ENVIRONMENT: "something keeps the lab from working (bad)",
}


@click.command(epilog=exit_codes_mean(_CODES))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
@click.option("--docker", is_flag=True, help="Ask also for what a lab in containers needs.")
def doctor(*, as_json: bool, docker: bool) -> int:
    """Check Python, store, ports, file limit, terminal and left-overs; each finding with its fix."""
    findings = list(examine())
    if docker:
        from lab.docker_doctor import examine_docker  # noqa: PLC0415 - the SDK, only where it is asked for

        findings += examine_docker(Registry())
    if as_json:
        click.echo(json.dumps({"findings": [asdict(finding) for finding in findings]}, indent=2))
    else:
        console = Console(highlight=False)
        for finding in findings:
            console.print(_line(finding, ascii_only=console.options.ascii_only), soft_wrap=True)
    is_ill = any(finding.level is Level.BAD for finding in findings)
    return ExitCode.ENVIRONMENT if is_ill else ExitCode.HELD


def _line(finding: Finding, *, ascii_only: bool) -> Text:
    glyphs = ASCII if ascii_only else UNICODE
    shape, style = {
        Level.OK: (glyphs.done, GOOD),
        Level.WARN: (glyphs.error, BUSY),
        Level.BAD: (glyphs.down, BAD),
    }[finding.level]
    text = Text.assemble((f"{shape} {finding.level:<4}", style), f"  {finding.about:<10} {finding.says}")
    if finding.fix:
        text.append(f"\n        {'':<10} fix: {finding.fix}")
    return text
