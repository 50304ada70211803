"""What the driver and a shopper process say to each other: one JSON object a line. Pure.

The driver orders ``prepare``, ``fill``, ``come back``, ``read back`` and ``write``; each is answered by
``{"done": ORDER}`` when it is carried out. Counts come unasked meanwhile, as ``{"tally": {...}}``.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from lab.workload.catalogue import Product

PREPARE, FILL, COME_BACK, READ_BACK, WRITE = "prepare", "fill", "come back", "read back", "write"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepare:
    """The shoppers ``first`` to ``first + count - 1`` of ``arm``, who use ``connections`` at most.

    ``zero`` is when the run began, on the clock that all processes of a machine share.
    """

    arm: str
    host: str
    port: int
    seed: int
    keyless: float
    first: int
    count: int
    connections: int
    zero: float
    timeout: float
    catalogue: tuple[Product, ...]

    def to_record(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of(cls, record: dict[str, Any]) -> Prepare:
        catalogue = tuple(Product(**product) for product in record["catalogue"])
        return cls(**{**record, "catalogue": catalogue})


def line(record: dict[str, Any]) -> bytes:
    return json.dumps(record, separators=(",", ":")).encode() + b"\n"
