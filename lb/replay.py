"""What was sent of a request with a body, and may be sent again.

A request that failed goes to another server only with all of its bytes. They are kept up to a limit,
head and body together; a longer body is passed on and forgotten, and such a request is sent once.
A request without a body needs none of this: its head is there for as long as it is being answered.
"""

from __future__ import annotations


class Replay:
    """``size`` counts all bytes, kept or not; once forgotten, nothing is kept any more."""

    __slots__ = ("_limit", "_pieces", "size")

    def __init__(self, head: bytes, limit: int) -> None:
        self._limit = limit
        self._pieces: list[bytes] | None = [head]
        self.size = len(head)

    def add(self, piece: bytes) -> None:
        self.size += len(piece)
        if self._pieces is not None:
            self._pieces.append(piece)

    @property
    def is_too_long(self) -> bool:
        return self.size > self._limit

    @property
    def is_whole(self) -> bool:
        """Whether all of it is still there."""
        return self._pieces is not None

    def take(self, *, keep: bool) -> bytes:
        """All that has come so far, to be sent; what is too long or not to be kept is forgotten."""
        message = b"".join(self._pieces or ())
        if not keep or self.is_too_long:
            self.forget()
        return message

    def forget(self) -> None:
        self._pieces = None
