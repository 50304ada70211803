"""What a link does to bytes, each way by itself. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Bounds: a link is for a lab's fault, not for storage.
LONGEST_DELAY = 60.0


class Fate(StrEnum):
    """What becomes of bytes on their way.

    TCP loses no bytes, so neither does a link: what is held is on its way still, as in a network that
    is down, and arrives late once it passes again. A connection dies only by a reset.
    """

    PASS = "pass"  # noqa: S105 - no password
    HOLD = "hold"
    RESET = "reset"


@dataclass(frozen=True, slots=True)
class Way:
    """One direction. ``delay`` and ``jitter`` (even, added to it) are seconds, ``rate`` bytes a second.

    A rate of 0 is no limit.
    """

    fate: Fate = Fate.PASS
    delay: float = 0.0
    jitter: float = 0.0
    rate: float = 0.0


@dataclass(frozen=True, slots=True)
class Rule:
    """``there`` is what the opener of a connection sends, ``back`` what it is answered.

    ``refuse``: nobody listens; what was connected is reset.
    """

    there: Way = Way()
    back: Way = Way()
    refuse: bool = False

    def as_words(self) -> dict[str, Any]:
        return asdict(self)


#: What every link does by itself.
PASSING = Rule()
#: Nothing gets through and nobody is told: what a pulled cable does.
SILENT = Rule(Way(Fate.HOLD), Way(Fate.HOLD))
#: Requests arrive and are carried out; no answer comes back.
UNANSWERED = Rule(back=Way(Fate.HOLD))
#: Whatever is sent, the connection breaks and nothing arrives.
BROKEN = Rule(there=Way(Fate.RESET), back=Way(Fate.RESET))
#: As if no process listened there.
REFUSED = Rule(refuse=True)


def slow(seconds: float, jitter: float = 0.0) -> Rule:
    """A round trip takes ``seconds`` more, half of it each way, and up to ``jitter`` on top."""
    way = Way(delay=seconds / 2, jitter=jitter / 2)
    return Rule(way, way)


class BadRule(ValueError):
    """The message says what was expected."""


def read_rule(words: Mapping[str, Any]) -> Rule:
    """A rule as it came over the control socket, or BadRule."""
    known = {field.name for field in fields(Rule)}
    if extra := set(words) - known:
        raise BadRule(f"{', '.join(sorted(extra))}: a rule has {', '.join(sorted(known))}.")
    return Rule(
        _read_way(words.get("there", {})), _read_way(words.get("back", {})), refuse=bool(words.get("refuse"))
    )


def _read_way(words: Any) -> Way:
    if not isinstance(words, dict) or set(words) - {field.name for field in fields(Way)}:
        raise BadRule(f"{words!r}: a way has {', '.join(field.name for field in fields(Way))}.")
    try:
        fate = Fate(words.get("fate", Fate.PASS))
        numbers = {name: float(words.get(name, 0.0)) for name in ("delay", "jitter", "rate")}
    except (TypeError, ValueError) as problem:
        raise BadRule(f"{words!r}: {problem}.") from None
    if not all(0 <= numbers[name] <= LONGEST_DELAY for name in ("delay", "jitter")):
        raise BadRule(f"{words!r}: delay and jitter are 0 to {LONGEST_DELAY:g} seconds.")
    if not 0 <= numbers["rate"] < float("inf"):
        raise BadRule(f"{words!r}: rate is a number of bytes a second, or 0.")
    return Way(fate, **numbers)
