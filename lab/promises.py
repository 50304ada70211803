"""What a site's cart servers promise, in their own words: ``GET /promises``. Pure.

The lab believes nothing about a strategy that its servers do not say. A run is judged against
exactly this: a promise that was made and broken is a defect, one that was not made is the price of
the design, and is expected to be paid.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from lab.errors import EnvironmentProblem

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Promises:
    """About acknowledged changes. Each is documented where it is made, beside the strategies.

    ``bounded_loss`` is how many of them one killed server may take along; None is: all that it held.
    """

    any_server: bool
    survives_server_crash: bool
    bounded_loss: int | None
    survives_store_crash: bool
    survives_store_loss: bool
    reads_without_store: bool
    writes_without_store: bool
    concurrent_adds: bool
    keyed_retry_once: bool
    never_stale: bool


#: The promises that a scenario can put to the test: those that are kept or broken.
NAMES = tuple(field.name for field in fields(Promises) if field.name != "bounded_loss")


def promises_in(answer: Any) -> Promises:
    """The promises in an answer of ``GET /promises``; those the lab does not know are left."""
    try:
        made: Mapping[str, Any] = answer["promises"]
        return Promises(**{name: bool(made[name]) for name in NAMES}, bounded_loss=made["bounded_loss"])
    except (KeyError, TypeError) as problem:
        raise EnvironmentProblem(
            "Asked the site for GET /promises, against which it is judged; expected "
            f'{{"promises": {{{", ".join(NAMES)}, bounded_loss}}}}; got {str(answer)[:200]!r} ({problem!r}). '
            "Next: see that its servers are of this version of the lab."
        ) from problem
