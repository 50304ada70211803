"""Whether a request whose server failed may be sent to another server.

A request can fail in three phases, and only the phase, the method and what is still in memory
decide:

* CONNECTING: there was no connection, so no server has seen a byte. Any method may go elsewhere.
* SENT: bytes left, and no answer came. The server may have done the work. Only a method that may
  be repeated (RFC 9110 9.2.2) goes elsewhere; a request with an ``Idempotency-Key`` too, when the
  operator says that the servers honour it.
* ANSWERED: the shopper has seen part of an answer. Nobody can take that back: cut the connection,
  so that the answer is seen to be cut.

A retry always goes to a server that this request has not met yet.
"""

from __future__ import annotations

from enum import StrEnum

SAFE = frozenset({b"GET", b"HEAD", b"OPTIONS", b"TRACE"})
IDEMPOTENT = SAFE | {b"PUT", b"DELETE"}


class Phase(StrEnum):
    CONNECTING = "connecting"
    SENT = "sent"
    ANSWERED = "answered"


class Decision(StrEnum):
    RETRY = "retry"
    ANSWER_ERROR = "answer an error"
    CUT = "cut the connection"


def may_repeat(method: bytes, *, has_key: bool, retry_keyed: bool) -> bool:
    """Whether sending the request twice does no harm."""
    return method in IDEMPOTENT or (has_key and retry_keyed)


def decide(phase: Phase, *, repeatable: bool, replayable: bool, tries_left: int) -> Decision:
    """``replayable``: all that was sent of the request is still in memory."""
    if phase is Phase.ANSWERED:
        return Decision.CUT
    allowed = phase is Phase.CONNECTING or (repeatable and replayable)
    return Decision.RETRY if allowed and tries_left > 0 else Decision.ANSWER_ERROR
