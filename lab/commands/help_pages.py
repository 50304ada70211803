"""What several help pages share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.verdict import ExitCode

if TYPE_CHECKING:
    from collections.abc import Mapping


def exit_code_table(*codes: ExitCode) -> str:
    """The exit codes (all, when none is named) as a table that click leaves as it is."""
    return exit_codes_mean({code: code.meaning for code in codes or ExitCode})


def exit_codes_mean(meanings: Mapping[ExitCode, str]) -> str:
    """The same for a command to which the general words do not fit."""
    rows = (f"  {code.value:>3}  {meaning}" for code, meaning in meanings.items())
    return "\n".join(["\b", "Exit codes:", *rows])
