"""A run as lines, and from its lines a run again: whatever can draw a run can draw a recorded one."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, get_args

from lab.history import Operation, operation_of
from lab.packing import unpack
from lab.timeline import Event, OperationEnded, Sampled, ServerSample, Tallied

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from lab.timeline import Timeline

_KINDS: dict[str, type[Any]] = {kind.__name__: kind for kind in get_args(Event)}


def to_lines(timeline: Timeline) -> Iterator[str]:
    for event in timeline.events:
        yield json.dumps({"event": type(event).__name__, **asdict(event)}, separators=(",", ":"))


def from_lines(lines: Iterable[str]) -> list[Event]:
    return [_event(json.loads(line)) for line in lines if line.strip()]


def events_of(folder: Path) -> list[Event]:
    """Everything that a view saw of the run in ``folder``, in order of time."""
    with (folder / "history.jsonl").open(encoding="utf-8") as lines:
        operations = [op for line in lines if line.strip() for op in _operations(json.loads(line))]
    with (folder / "timeline.jsonl").open(encoding="utf-8") as lines:
        events = from_lines(lines)
    counted = {event.arm for event in events if isinstance(event, Tallied)}
    operations = [op for op in operations if op.arm not in counted]
    # An operation whose answer never came is as old as its invocation at least.
    events += [OperationEnded(op.completed or op.invoked, op.arm, op) for op in operations]
    return sorted(events, key=lambda event: event.at)


def _operations(record: dict[str, Any]) -> list[Operation]:
    """Of one line: a cart's, or a single operation."""
    return unpack(record) if "ops" in record else [operation_of(record)]


def _event(record: dict[str, Any]) -> Event:
    kind = _KINDS[record.pop("event")]
    if kind is Sampled:
        record["servers"] = [ServerSample(**server) for server in record["servers"]]
    event: Event = kind(**{name: _frozen(value) for name, value in record.items()})
    return event


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
