"""A history in which a line is a cart: all that one shopper did, in order. Pure.

::

    {"arm":"sticky","shopper":7,"ops":[["add",1.52,1.52,1.524,"ok","Laptop",1,"9f..-0",200,...], ...]}

An operation is its fields in the order of ``COLUMNS``; those at the end that say nothing are left
out. Nothing else is: the same operations come back, so the same oracle judges them.
"""

from __future__ import annotations

import json
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any

from lab.history import Kind, Operation, Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

#: All of an operation but whose it is, which stands once on its line.
COLUMNS = tuple(each.name for each in fields(Operation) if each.name not in ("arm", "shopper"))
_DEFAULTS = tuple(
    None if each.default is MISSING else each.default for each in fields(Operation) if each.name in COLUMNS
)
_encode = json.JSONEncoder(separators=(",", ":")).encode


def pack(operations: Sequence[Operation]) -> str:
    """One line, of at least one operation; all are one shopper's in one arm."""
    first = operations[0]
    return _encode({"arm": first.arm, "shopper": first.shopper, "ops": [_row(op) for op in operations]})


def unpack(record: dict[str, Any]) -> list[Operation]:
    """The operations of a line that was read as JSON."""
    arm, shopper = record["arm"], record["shopper"]
    return [
        Operation(arm, shopper, _KINDS[kind], intended, invoked, completed, _OUTCOMES[outcome], *rest)
        for kind, intended, invoked, completed, outcome, *rest in record["ops"]
    ]


_KINDS = {str(kind): kind for kind in Kind}
_OUTCOMES = {str(outcome): outcome for outcome in Outcome}


def _row(op: Operation) -> list[Any]:
    row = [getattr(op, name) for name in COLUMNS]
    while row[-1] == _DEFAULTS[len(row) - 1]:
        row.pop()
    return row
