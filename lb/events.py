"""What happened to servers and sessions: a bounded backlog, and whoever listens."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BACKLOG = 1000

Notice = dict[str, Any]


class Events:
    """Numbered notices. ``clock`` gives Unix time."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._sequence = 0
        self._backlog: deque[Notice] = deque(maxlen=BACKLOG)
        self._listeners: list[Callable[[Notice], None]] = []

    def tell(self, kind: str, **facts: Any) -> None:
        self._sequence += 1
        notice = {"seq": self._sequence, "at": round(self._clock(), 6), "kind": kind, **facts}
        self._backlog.append(notice)
        for listener in tuple(self._listeners):
            listener(notice)

    def history(self) -> Iterator[Notice]:
        return iter(tuple(self._backlog))

    def listen(self, listener: Callable[[Notice], None]) -> Callable[[], None]:
        """Add ``listener``; call what comes back to take it away again."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)
