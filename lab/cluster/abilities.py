"""What the cart program of this installation can do, asked before anything starts."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

from lab.cluster import environment
from lab.errors import EnvironmentProblem

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lab.topology import Arm

_ASKED = (sys.executable, "-P", "-m", "services.cart", "--help")
_ANSWERS_WITHIN = 20.0


def check_strategies(arms: Iterable[Arm]) -> None:
    """Refuse arms whose strategy the cart program has not got: half of a comparison may be over by then."""
    known = known_strategies()
    missing = sorted({arm.strategy for arm in arms} - known)
    if missing:
        raise EnvironmentProblem(
            f"--arms asks for {', '.join(missing)}; the cart program installed here knows "
            f"{', '.join(sorted(known)) or 'no strategy'}. Update it, or run only arms of these."
        )


def known_strategies() -> set[str]:
    """Of the cart program installed here, as its help page names them: ``--strategy a|b|c``."""
    done = subprocess.run(
        _ASKED,
        capture_output=True,
        text=True,
        env={**environment.inherited(), "COLUMNS": "200"},
        timeout=_ANSWERS_WITHIN,
        check=False,
    )
    named = re.search(r"--strategy ([\w|]+)", done.stdout)
    return set(named[1].split("|")) if named else set()
