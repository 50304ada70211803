"""Counts of what a throng met so far: what the screen and the run need while it shops. Pure.

The same counts, from the same rules, as ``lab.view.flow`` makes of one operation after the other;
a test compares the two.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lab.history import Kind, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lab.workload.throng.slots import Said

#: What ``X-Session-Origin`` says when the server that answered had never seen the session.
STRANGER = frozenset({"new", "none"})
_FILLED, _MISSING, _UNAVAILABLE = 1, 2, 4


@dataclass(slots=True)
class Tally:
    """``done`` are the requests of shopping that ended, ``read`` the carts that were read back.

    ``filled`` shoppers were promised an item; of those ``lost`` were later answered by a server that
    did not know them, and ``unanswered`` got no answer when last asked. ``homes`` counts the carts by
    the server that acknowledged their last add, ``answers`` the answers of each server.
    """

    done: int = 0
    read: int = 0
    requests: int = 0
    failed: int = 0
    unknown: int = 0
    elsewhere: int = 0
    filled: int = 0
    lost: int = 0
    unanswered: int = 0
    homes: dict[str, int] = field(default_factory=dict)
    answers: dict[str, int] = field(default_factory=dict)

    @classmethod
    def sum(cls, tallies: Iterable[Mapping[str, Any]]) -> Tally:
        """Of several processes, each as the record that it sent."""
        total = cls()
        for tally in tallies:
            for name, value in tally.items():
                if isinstance(value, dict):
                    counts = getattr(total, name)
                    for server, count in value.items():
                        counts[server] = counts.get(server, 0) + count
                else:
                    setattr(total, name, getattr(total, name) + value)
        return total


class Counting:
    """A tally kept up to date; one byte a shopper, and another for who their home is."""

    def __init__(self, shoppers: int) -> None:
        self.tally = Tally()
        self._flags = bytearray(shoppers)
        self._homes = bytearray(shoppers)
        self._names: list[str] = [""]

    def count(self, place: int, kind: Kind, said: Said) -> None:
        """``place`` is the shopper's own, from 0."""
        tally, facts = self.tally, said.facts
        tally.requests += 1
        if kind is not Kind.FINAL_READ:
            tally.done += 1
        if said.outcome is Outcome.OK:
            self._answered(place, kind, said)
        else:
            tally.failed += said.outcome is Outcome.FAIL
            tally.unknown += said.outcome is Outcome.INFO
            if kind is Kind.FINAL_READ and self._flags[place] & _FILLED:
                self._mark(place, self._flags[place] | _UNAVAILABLE)
        if facts.server:
            tally.answers[facts.server] = tally.answers.get(facts.server, 0) + 1

    def _answered(self, place: int, kind: Kind, said: Said) -> None:
        tally, facts, flags = self.tally, said.facts, self._flags[place]
        tally.elsewhere += facts.tries > 1 or facts.moved_from is not None
        if flags & _FILLED and (facts.origin in STRANGER or said.cart == {}):
            flags |= _MISSING
        flags &= ~_UNAVAILABLE
        if kind is Kind.ADD:
            flags |= _FILLED
            self._at_home(place, facts.server)
        else:
            tally.read += 1
        if flags != self._flags[place]:
            self._mark(place, flags)

    def _mark(self, place: int, flags: int) -> None:
        tally, before = self.tally, self._flags[place]
        tally.filled += (flags & _FILLED > 0) - (before & _FILLED > 0)
        tally.lost += (flags & _MISSING > 0) - (before & _MISSING > 0)
        tally.unanswered += _is_unanswered(flags) - _is_unanswered(before)
        self._flags[place] = flags

    def _at_home(self, place: int, server: str | None) -> None:
        before = self._names[self._homes[place]]
        if server is None or server == before:
            return
        if server not in self._names:
            self._names.append(server)
        homes = self.tally.homes
        homes[server] = homes.get(server, 0) + 1
        if before:
            homes[before] -= 1
        self._homes[place] = self._names.index(server)


def _is_unanswered(flags: int) -> bool:
    return bool(flags & _UNAVAILABLE and not flags & _MISSING)
