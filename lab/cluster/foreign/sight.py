"""One look at another balancer: what it thinks of its servers, and who is tied to whom. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Seen:
    """A server as the balancer sees it; ``state`` and ``cause`` in our balancer's words."""

    state: str
    cause: str
    requests: int = 0
    active: int = 0


@dataclass(frozen=True, slots=True)
class Sight:
    """``ties``: which server has which session, by fingerprint; None where the balancer does not tell.
    ``idle``: seconds since each was last asked for.
    """

    servers: Mapping[str, Seen] = field(default_factory=dict)
    ties: Mapping[str, str] | None = None
    idle: Mapping[str, float] = field(default_factory=dict)
