"""What the results of checks mean: rise and fall.

``fall`` failures in a row take a server down, ``rise`` successes bring it back. A server that
was never seen well needs one success only: there is no flapping to damp yet.
"""

from __future__ import annotations

from dataclasses import dataclass

from lb.pool import Event, State


@dataclass(frozen=True, slots=True)
class Result:
    """How one check went. ``code`` is HAProxy's word for it (L7OK, L4CON, L7STS, L7TOUT ...)."""

    passed: bool
    code: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.code} {self.detail}".rstrip()


@dataclass(slots=True)
class Health:
    """Successes or failures in a row of one server: never both above zero."""

    rise: int
    fall: int
    successes: int = 0
    failures: int = 0
    last: Result | None = None

    def record(self, result: Result, state: State) -> Event | None:
        """Count ``result``; the event that a server in ``state`` must be told, if any."""
        self.last = result
        if result.passed:
            self.successes, self.failures = self.successes + 1, 0
            needed = 1 if state is State.STARTING else self.rise
            return Event.PASSED if self.successes >= needed else None
        self.successes, self.failures = 0, self.failures + 1
        return Event.FAILED if self.failures >= self.fall else None

    def is_wavering(self, state: State) -> bool:
        """Whether the next check should come sooner: the server is not settled."""
        if state is State.STARTING:
            return True
        return (state is State.UP and self.failures > 0) or (state is State.DOWN and self.successes > 0)

    def forget(self) -> None:
        self.successes = self.failures = 0
        self.last = None


def worst_case_detection(inter: float, fastinter: float, fall: int, timeout: float) -> float:
    """Seconds until checks alone notice that a server froze just after answering one."""
    return inter + (fall - 1) * (fastinter + timeout) + timeout
