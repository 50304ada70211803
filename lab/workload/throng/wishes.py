"""What everybody in the throng wants, worked out when it is needed and never stored. Pure.

A wish is a function of seed, shopper and step alone: both arms, and any number of shopper
processes, ask for the same things with the same keys.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.workload.catalogue import Product

#: Adds of each shopper before and after the fault, one item each.
BEFORE, AFTER = 2, 1
ADDS = BEFORE + AFTER
#: Requests of each shopper: the adds, and the look into the cart for the judge.
STEPS = ADDS + 1
FINAL_READ = ADDS

_DICE = 65_536
_KEY_BYTES = 8


@dataclass(frozen=True, slots=True)
class Wish:
    """``number`` is the product's place in the catalogue; ``key`` is None for who sends none."""

    number: int
    key: str | None


@dataclass(frozen=True, slots=True)
class Wishes:
    """``keyless`` is the share of shoppers that send no Idempotency-Key."""

    seed: int
    products: Sequence[Product]
    keyless: float = 0.0

    def of(self, shopper: int, step: int) -> Wish:
        thrown = blake2b(b"%d:%d" % (self.seed, shopper), digest_size=2 * STEPS + _KEY_BYTES).digest()
        dice = [int.from_bytes(thrown[at : at + 2]) for at in (0, 2 * step + 2)]
        has_key = dice[0] >= self.keyless * _DICE
        key = f"{thrown[-_KEY_BYTES:].hex()}-{step}" if has_key else None
        return Wish(dice[1] * len(self.products) // _DICE, key)
