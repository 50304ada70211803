"""What can go wrong between a request and its answer: in RFC 9209's words, and in HAProxy's letters.

The first letter of a termination state says who ended it (C client, S server, P the proxy itself,
K the operator; small letters: by a timeout), the second in which phase (R request, Q queue, C connecting,
H head of the answer, D data). ``--`` is an ordinary end.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from lb.health import Result
from lb.refusals import REQUEST_ERROR, TOO_LARGE, Unanswered
from lb.retry import Phase

if TYPE_CHECKING:
    from lb.pool import Server

ORDINARY: Final = "--"
#: RFC 9209's word for trouble that is the proxy's own.
INTERNAL: Final = "proxy_internal_error"

_ENDS: Final = {
    "destination_unavailable": "SC",
    "connection_limit_reached": "SQ",
    "connection_refused": "SC",
    "connection_timeout": "sC",
    "connection_terminated": "SH",
    "http_response_timeout": "sH",
    "http_protocol_error": "PH",
    TOO_LARGE: "PH",
    REQUEST_ERROR: "PR",
    INTERNAL: "PC",
}
_PHASES: Final = {Phase.CONNECTING: "C", Phase.SENT: "H", Phase.ANSWERED: "D"}


def end_of(reason: Unanswered) -> str:
    """The letters of an exchange that the balancer had to answer itself."""
    return "cR" if reason.status == HTTPStatus.REQUEST_TIMEOUT else _ENDS.get(reason.error, "PH")


def end_by(who: str, phase: Phase) -> str:
    """The letters of an exchange that ``who`` (C, S, P, K, c, s) ended without an answer."""
    return who + _PHASES[phase]


def not_connected(server: Server, error: OSError) -> tuple[Result, Unanswered]:
    """What a failed connect is as a check, and as an answer."""
    timed_out = isinstance(error, TimeoutError)
    reason = "timed out" if timed_out else error.strerror or str(error)
    detail = f"no connection to {server.name} at {server.address}: {reason}"
    if timed_out:
        return Result(passed=False, code="L4TOUT", detail=reason), Unanswered(
            504, "connection_timeout", detail
        )
    return Result(passed=False, code="L4CON", detail=reason), Unanswered(502, "connection_refused", detail)


def short(server: Server, error: OSError) -> Unanswered:
    """No connection, for want of something that is this process's own."""
    why = error.strerror or str(error)
    return Unanswered(502, INTERNAL, f"no connection to {server.name}, through no fault of its own: {why}")


def gone(server: Server, error: Exception | None) -> Unanswered:
    how = f": {error}" if error else ""
    detail = f"{server.name} closed the connection before it answered{how}; whether it acted is not known"
    return Unanswered(502, "connection_terminated", detail)


def silent(server: Server, limit: float) -> Unanswered:
    return Unanswered(504, "http_response_timeout", f"{server.name} did not answer within {limit:g} s")
