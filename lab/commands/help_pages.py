"""What several help pages share."""

from __future__ import annotations

from lab.verdict import ExitCode


def exit_code_table(*codes: ExitCode) -> str:
    """The exit codes (all, when none is named) as a table that click leaves as it is."""
    rows = (f"  {code.value:>3}  {code.meaning}" for code in codes or ExitCode)
    return "\n".join(["\b", "Exit codes:", *rows])
