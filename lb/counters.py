"""What is counted: plain integers, turned into JSON or Prometheus text only when asked for."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

CLASSES = 6


def _by_class() -> list[int]:
    return [0] * CLASSES


@dataclass(slots=True)
class ServerCounters:
    """One server's, in HAProxy's names.

    ``qcur`` requests wait for it now, ``qmax`` the most that ever did; ``connect`` and ``reuse`` of
    connections, ``econ`` connects that failed, ``eresp`` answers that failed, ``wretr`` retries on the same
    server, ``wredis`` requests sent on to another one, ``cli_abrt`` and ``srv_abrt`` transfers cut by either
    side, ``chkfail`` checks failed, ``chkdown`` times it went down, ``hrsp`` answers by class: ``hrsp[5]``
    counts 5xx.
    """

    qcur: int = 0
    qmax: int = 0
    connect: int = 0
    reuse: int = 0
    econ: int = 0
    eresp: int = 0
    wretr: int = 0
    wredis: int = 0
    cli_abrt: int = 0
    srv_abrt: int = 0
    chkfail: int = 0
    chkdown: int = 0
    hrsp: list[int] = field(default_factory=_by_class)


@dataclass(slots=True)
class Counters:
    """The front's: what came in, what went out, whoever made the answer.

    ``qcur`` and ``qmax`` wait for any server; ``retries_denied`` by the budget; ``moved`` counts sessions by
    (from, to, cause).
    """

    requests: int = 0
    refused: int = 0
    retries: int = 0
    redispatches: int = 0
    retries_denied: int = 0
    qcur: int = 0
    qmax: int = 0
    hrsp: list[int] = field(default_factory=_by_class)
    moved: Counter[tuple[str, str, str]] = field(default_factory=Counter)
