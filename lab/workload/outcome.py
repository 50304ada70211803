"""What an answer, or its absence, says about the write: ok, fail or info.

Only what was surely decided before any write is *fail*; only a promise is *ok*; all else is *info*.

| seen | outcome of a write | why |
|---|---|---|
| 2xx with a readable cart | ok | the site promised |
| 400 403 404 405 409 410 412 413 415 422 429 431 | fail | refused before any write |
| 503 with ``X-Write: not-attempted`` | fail | the server says that it sent nothing to its store |
| 502, 503, 504 whose ``Proxy-Status`` names an error from before sending | fail | no server got it |
| connection refused, or none to be had in time | fail | nothing was sent |
| 500, any other 502, 503 and 504, a timeout, a lost connection | info | it may have run, it may still run |
| anything but ok, more than one server tried | info | the last refusal does not speak for the first |

A read changes nothing: one that was not answered is *fail*, whatever happened to it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from lab.history import WRITES, Kind, Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

REFUSED = frozenset({400, 403, 404, 405, 409, 410, 412, 413, 415, 422, 429, 431})
GATEWAY = frozenset({502, 503, 504})
#: RFC 9209 error types that a proxy uses when no byte of the request went out.
NEVER_SENT = frozenset({"destination_unavailable", "destination_not_found", "connection_refused"})
_QUOTED = re.compile(r'"[^"]*"')
_PROXY_ERROR = re.compile(r";\s*error=([a-z_]+)")


def outcome_of_answer(kind: Kind, status: int, headers: Mapping[str, str], *, tries: int) -> Outcome:
    """``headers`` finds names in any case, as HTTP libraries' mappings do."""
    if 200 <= status < 300:  # noqa: PLR2004 - the class of success
        return Outcome.OK
    if kind not in WRITES:
        return Outcome.FAIL
    if tries > 1:
        return Outcome.INFO
    return Outcome.FAIL if status in REFUSED or _was_never_sent(status, headers) else Outcome.INFO


def outcome_of_silence(kind: Kind, *, may_have_been_sent: bool) -> Outcome:
    return Outcome.INFO if kind in WRITES and may_have_been_sent else Outcome.FAIL


def cart_in(answer: Any) -> dict[str, int] | None:
    """Item to quantity as an answer shows it, or None when it shows no cart.

    A line without a quantity is one piece, and an item may stand on several lines: the classic
    Node server answers so.
    """
    cart: dict[str, int] = {}
    try:
        for line in answer["cart"]:
            cart[str(line["item"])] = cart.get(str(line["item"]), 0) + int(line.get("quantity", 1))
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    return cart


def _was_never_sent(status: int, headers: Mapping[str, str]) -> bool:
    if status not in GATEWAY:
        return False
    if headers.get("X-Write", "").strip().lower() == "not-attempted":
        return True
    errors = _PROXY_ERROR.findall(_QUOTED.sub("", headers.get("Proxy-Status", "")))
    return bool(errors) and NEVER_SENT.issuperset(errors)
