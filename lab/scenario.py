"""A scenario is a value: a question, predictions, a workload, faults, promises put to the test, a lesson."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.topology import LEADS_BACK

if TYPE_CHECKING:
    from lab.promises import Promises
    from lab.topology import Arm


@dataclass(frozen=True, slots=True)
class Prediction:
    """What somebody may expect to see. A wrong one names the ``misconception`` that it comes from."""

    text: str
    misconception: str = ""

    @property
    def is_right(self) -> bool:
        return not self.misconception


@dataclass(frozen=True, slots=True)
class Injection:
    """``fault`` begins in the middle of the rush, halfway through the shopping.

    It heals when ``until`` of the shopping after that is over: 1.0 is all of it. Of several with the
    same ``until`` the first heals first. It goes on for longer while in some arm fewer than ``moved``
    shoppers of whom it hit had a change acknowledged elsewhere, for a while: people must still shop then.
    """

    fault: str
    until: float = 1.0
    moved: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """``tests`` names the promises that it puts to the test; an arm that makes them all keeps its carts.

    ``expects`` is what every arm must do where no promise is at stake, ``otherwise`` what an arm does
    that does not make them all. ``arms`` run when nobody names
    any, as specs. ``workload`` is one of ``lab.workload.shapes``; ``shoppers``, ``session_ttl``, ``crash``
    (who dies) and ``at_once`` (how many arms run at the same time) are its own defaults. With
    ``store_log`` off the store forgets what it held when it dies. ``patience`` is for how many seconds
    checks and calls to the store may wait, in a site that is busy as never else.
    ``what_breaks``, ``what_you_see`` and ``what_you_learn`` fill the README's table.
    ``lasts`` is for how many seconds people shop at least, where something needs time to be noticed.
    ``claims`` are ids of the claims ledger that this scenario puts a figure beside.
    """

    name: str
    title: str
    question: str
    predictions: tuple[Prediction, ...]
    faults: tuple[Injection, ...]
    tests: tuple[str, ...]
    claims: tuple[str, ...]
    what_breaks: str
    what_you_see: str
    what_you_learn: str
    lesson: str
    hint: str
    arms: tuple[str, ...] = ("sticky", "stateless")
    workload: str = "shopping"
    shoppers: int | None = None
    session_ttl: float | None = None
    lasts: float = 0.0
    store_log: bool = True
    patience: float | None = None
    expects: str = ""
    otherwise: str = "lost"
    crash: str = "biggest"
    at_once: int = 2

    @property
    def fault(self) -> str | None:
        """The one that ``--fault`` can replace."""
        return self.faults[0].fault if self.faults else None


def expected_of(scenario: Scenario, arm: Arm, promises: Promises) -> str:
    """What should become of the carts of ``arm``: its name does not matter, only what it promised."""
    broken = [name for name in scenario.tests if not getattr(promises, name)]
    if broken and scenario.otherwise == "diverged":
        return scenario.otherwise  # whoever copies carts does not scatter them
    if not promises.any_server and arm.sticky not in LEADS_BACK:
        return "scattered"
    if scenario.expects:
        return scenario.expects
    if not broken:
        return "kept"
    is_bounded = broken == ["survives_server_crash"] and promises.bounded_loss
    return "bounded" if is_bounded else scenario.otherwise
