"""A soak in words: its progress, its end in sentences, and the same as facts for programs. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lab.promises import NAMES
from lab.soak.breach import MEANINGS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lab.soak.tally import Tally
    from lab.timeline import Interval


def progress(at: float, tally: Tally, faults: Iterable[Interval]) -> str:
    """``faults`` are those of the window that is open; those not healed yet are named."""
    now = ", ".join(f"{each.fault} of {each.target}" for each in faults if each.end is None) or "all is well"
    return (
        f"{at:7.1f} s  window {tally.windows + 1}: {sum(tally.faults.values())} faults ({now}); "
        f"judged {tally.requests:,} requests, {tally.acknowledged:,} pieces acknowledged, "
        f"{sum(tally.paid.values())} lost as announced"
    )


def as_lines(record: dict[str, Any]) -> list[str]:
    """``record`` is what ``soak.json`` holds."""
    problem = [record["problem"]] if record["problem"] else []
    figures = _figures(record) if record["figures"] else []
    gaps = [f"Not promised: {name}, {meaning}." for name, meaning in record["not_promised"].items()]
    ends = [f"Again: {record['replay']}", f"Files: {record['folder']}"]
    return [*problem, *figures, *gaps, *record["story"], *ends]


def _figures(record: dict[str, Any]) -> list[str]:
    figures, pieces = record["figures"], record["figures"]["pieces"]
    faults = ", ".join(f"{n} {name}" for name, n in sorted(figures["faults"].items()))
    carts = sum(figures["carts"].values())
    ran = f"{record['seconds']:g} s, {figures['windows']} windows, {figures['requests']:,} requests"
    lost = f"{pieces['lost']} lost, {pieces['duplicated']} duplicated"
    return [
        f"{record['arm']}: {record['verdict']} after {ran}, {carts:,} carts.",
        f"{sum(figures['faults'].values())} faults, all healed: {faults or 'none'}.",
        f"Of {pieces['acknowledged']:,} acknowledged pieces {lost}; {figures['strangers']} carts mixed up.",
        *(
            f"Lost as announced: {n} pieces, for the site does not promise {name}."
            for name, n in figures["announced_losses"].items()
        ),
    ]


def as_facts(record: dict[str, Any], above: str = "") -> list[str]:
    """``figures.pieces.lost<TAB>0``: one fact a line; a story's lines are numbered."""
    lines: list[str] = []
    for name, value in record.items():
        if isinstance(value, dict):
            lines += as_facts(value, f"{above}{name}.")
        elif isinstance(value, list):
            lines += as_facts({str(number): each for number, each in enumerate(value, 1)}, f"{above}{name}.")
        else:
            lines.append(f"{above}{name}\t{'' if value is None else value}")
    return lines


def not_promised(promises: dict[str, Any]) -> dict[str, str]:
    """What each promise that is not made would mean."""
    return {name: MEANINGS[name] for name in NAMES if name in MEANINGS and not promises[name]}
