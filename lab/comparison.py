"""The trade-off table: what each design lost, cost and needs, from a standard set of runs. Pure.

Nothing in it is an opinion: a figure that no run measured is a dash, and a note says why.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from lab.scenario import Injection
from lab.scenarios import SCENARIOS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from lab.report.results import ArmResult, Results

    Runs = Mapping[str, ArmResult]

#: A server and the store, which keeps no log, at the same moment.
BOTH = replace(
    SCENARIOS["store-amnesia"],
    name="both",
    title="A server and the store die together",
    question="A server and a store without a log are killed at once: what is left?",
    faults=(Injection("store-kill", until=0.5), Injection("kill", until=0.5)),
    tests=("survives_server_crash", "survives_store_loss"),
)
#: What is run for the table, in this order.
STANDARD = {
    scenario.name: scenario
    for scenario in (
        SCENARIOS["calm"],
        SCENARIOS["crash"],
        SCENARIOS["store-amnesia"],
        BOTH,
        SCENARIOS["two-tabs"],
    )
}
NOTES = (
    "latencies: from the request's first byte to the answer's last, in the calm run, through the balancer",
    "store messages (each way) and bytes: its own counts of 500 adds of one shopper, health checks included",
    "store memory: what it grew by in the calm run for each cart, records of keys and connections included",
    "memory a session in a server: not measured; a cart is lost in the noise of its process",
    "messages between servers: what they say they sent in the calm run, for each write",
    "'-': the arm has no store, or no run measured it",
)
_NOTHING = "-"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. ``of`` takes the arm's result in every run of the set."""

    name: str
    of: Callable[[Runs], str]


def rows() -> tuple[Row, ...]:
    return (
        Row("carts lost, server crash", lambda runs: _lost(runs["crash"])),
        Row("carts lost, store loss", lambda runs: _lost(runs["store-amnesia"])),
        Row("carts lost, both at once", lambda runs: _lost(runs["both"])),
        Row("acknowledged but lost, 20 tabs", lambda runs: _pieces(runs["two-tabs"], "lost")),
        Row("pieces duplicated, all runs", _duplicated),
        Row("errors seen in the crash", lambda runs: _of_ledger(runs["crash"], "errors", "seen")),
        Row("errors seen, store away", lambda runs: _of_ledger(runs["store-amnesia"], "errors", "seen")),
        Row("write p50 / p99 ms", lambda runs: _quantiles(runs["calm"], "writes")),
        Row("read p50 / p99 ms", lambda runs: _quantiles(runs["calm"], "reads")),
        Row("store messages a write", lambda runs: _a_write(runs["two-tabs"], "messages")),
        Row("store bytes a write", lambda runs: _a_write(runs["two-tabs"], "bytes_in", "bytes_out")),
        Row("server messages a write", lambda runs: _between_servers(runs["calm"])),
        Row("store memory a session, bytes", _memory_a_session),
        Row("last error after the crash, s", _recovery),
        Row("must be operated", lambda runs: _operated(runs["calm"])),
    )


def table(results: Mapping[str, Results]) -> dict[str, dict[str, str]]:
    """Arm to figure to cell, for the runs of ``STANDARD``."""
    arms = next(iter(results.values())).arms
    return {
        arm: {row.name: row.of({name: run.arms[arm] for name, run in results.items()}) for row in rows()}
        for arm in arms
    }


def as_lines(cells: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """For people: a column an arm."""
    names = [row.name for row in rows()]
    label = max(map(len, names))
    widths = {arm: max(len(arm), *(len(cell) for cell in figures.values())) for arm, figures in cells.items()}
    yield _line("", cells, widths, label)
    for name in names:
        yield _line(name, [figures[name] for figures in cells.values()], widths, label)
    yield ""
    yield from (f"{note}." for note in NOTES)


def as_records(cells: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """For programs: arm, figure and value, parted by tabs."""
    return (f"{arm}\t{name}\t{cell}" for arm, figures in cells.items() for name, cell in figures.items())


def _line(name: str, cells: Sequence[str] | Mapping[str, Any], widths: Mapping[str, int], label: int) -> str:
    columns = (f"{cell:>{width}}" for cell, width in zip(cells, widths.values(), strict=True))
    return "  ".join((f"{name:<{label}}", *columns)).rstrip()


def _of_ledger(arm: ArmResult, *path: str) -> str:
    value: Any = arm.ledger
    for name in path:
        value = None if value is None else value[name]
    return _NOTHING if value is None else f"{value:,}"


def _lost(arm: ArmResult) -> str:
    if arm.ledger is None:
        return _NOTHING
    return f"{arm.ledger['carts']['lost']:,} of {sum(arm.ledger['carts'].values()):,}"


def _pieces(arm: ArmResult, what: str) -> str:
    if arm.ledger is None:
        return _NOTHING
    return f"{arm.ledger['pieces'][what]:,} of {arm.ledger['pieces']['acknowledged']:,}"


def _duplicated(runs: Runs) -> str:
    return f"{sum(arm.ledger['pieces']['duplicated'] for arm in runs.values() if arm.ledger):,}"


def _quantiles(arm: ArmResult, kind: str) -> str:
    found = arm.ledger[kind] if arm.ledger else {"n": 0}
    return f"{1000 * found['p50']:.1f} / {1000 * found['p99']:.1f}" if found["n"] else _NOTHING


def _a_write(arm: ArmResult, *counts: str) -> str:
    writes = arm.ledger["writes"]["n"] if arm.ledger else 0
    if arm.store is None or not writes:
        return _NOTHING
    each = sum(arm.store[count] for count in counts) / writes
    return f"{each:.1f}" if len(counts) == 1 else f"{each:,.0f}"


def _between_servers(arm: ArmResult) -> str:
    if arm.ledger is None or not arm.ledger["writes"]["n"]:
        return _NOTHING
    sent = [figures["sent"] for figures in arm.ledger["servers"].values() if "sent" in figures]
    return f"{sum(sent) / arm.ledger['writes']['n']:.1f}" if sent else _NOTHING


def _memory_a_session(runs: Runs) -> str:
    arm = runs["calm"]
    if arm.store is None or arm.ledger is None:
        return _NOTHING
    carts = sum(arm.ledger["carts"].values())
    return f"{arm.store['memory'] / carts:,.0f}"


def _recovery(runs: Runs) -> str:
    seconds = runs["crash"].ledger["recovery"] if runs["crash"].ledger else None
    return _NOTHING if seconds is None else f"{seconds:.2f}"


def _operated(arm: ArmResult) -> str:
    parts = [
        *(["store"] if arm.topology.store else []),
        *(["ties"] if arm.topology.sticky != "none" else []),
        *(["keys"] if arm.topology.strategy == "client_cookie" else []),
    ]
    return " + ".join(parts) or "nothing more"
