"""What ``cartlab up`` prints once a site stands: where it is, and a crash by hand in four lines of curl.

Every line marked as a command is run by a test, exactly as printed.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.cluster.standing import Description

COOKIE_JAR = "jar"
_ITEM = '{"item": "MacBook Pro", "price": 2500}'
_AFTER_THE_CRASH = {
    "sticky": "and look again: it is empty, for the cart died with its server's memory",
    "stateless": "and look again: it is all there, for any server finds it in the store",
}


@dataclass(frozen=True, slots=True)
class Step:
    says: str
    command: str


def crash_by_hand(about: Description) -> list[Step]:
    jar = Path(about.den) / COOKIE_JAR
    curl = "curl -w '\\n'"
    return [
        Step(
            "put something into a cart",
            f"{curl} -c {jar} -H 'Content-Type: application/json' -d '{_ITEM}' {about.front}/cart/add",
        ),
        Step("look at the cart, and at who answers", f"{curl} -b {jar} {about.front}/cart"),
        Step("crash the server that answers you", f"{curl} -b {jar} -X POST {about.front}/crash"),
        Step(_AFTER_THE_CRASH[about.mode], f"sleep 2; {curl} -b {jar} {about.front}/cart"),
    ]


def around(about: Description) -> list[Step]:
    jar = Path(about.den) / COOKIE_JAR
    lab = own_command()
    return [
        Step("servers, their states, sessions a server", f"{lab} status"),
        Step("which server holds your cart?", f'{lab} where "$(grep cart_sid {jar})"'),
        Step("start crashed servers again", f"{lab} start"),
        Step("end it all", f"{lab} down"),
    ]


def page(about: Description) -> Iterator[str]:
    yield f"The {about.mode} site stands at {about.front} : open it in a browser, or crash it by hand."
    yield f"  carts     {_where_carts_live(about)}"
    yield f"  balancer  sticky {about.sticky}; its admin API: {about.admin}/servers"
    yield f"  logs      {about.logs}"
    yield ""
    for step in crash_by_hand(about):
        yield from _lines(step)
    yield ""
    for step in around(about):
        yield from _lines(step)


def own_command() -> str:
    """How this user can call the lab: as they just did, or by name, or in full; always fit to be pasted."""
    if typed := os.environ.get("CARTLAB_AS"):
        return shlex.quote(typed)
    return "cartlab" if shutil.which("cartlab") else f"{shlex.quote(sys.executable)} -m lab"


def _lines(step: Step) -> Iterator[str]:
    yield f"  # {step.says}"
    yield f"  {step.command}"


def _where_carts_live(about: Description) -> str:
    return f"in the store, {about.store}" if about.store else "in each server's memory"
