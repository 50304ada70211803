"""What happens to a tied request whose server cannot take it.

* ``rebalance``: another server takes the session over, for good. It stays there when the first returns.
* ``strict``: 503, and the tie stands. Better an error than somebody else's empty cart.
* ``open``: another server answers this request, but the tie stands: the session goes home when its
  server returns.
"""

from __future__ import annotations

from enum import StrEnum


class Failover(StrEnum):
    REBALANCE = "rebalance"
    STRICT = "strict"
    OPEN = "open"

    @property
    def may_leave(self) -> bool:
        """Whether another server may answer in place of the tied one."""
        return self is not Failover.STRICT

    @property
    def rebinds(self) -> bool:
        """Whether the session now belongs to the server that answered."""
        return self is Failover.REBALANCE
