"""The console of a run: it survives a reader that leaves early."""

from __future__ import annotations

import os
import sys

from rich.console import Console


class PatientConsole(Console):
    """When nobody reads on (``cartlab run crash | head``), the run goes on unseen: its verdict, its exit
    code and its folder do not depend on who looks. rich would end the program with exit code 1.
    """

    def on_broken_pipe(self) -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
