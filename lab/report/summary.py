"""``summary.md``: the run on one page, for the summary of a CI job or for a pull request. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.view.glyphs import clean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from lab.report.results import Costs, Results

#: GitHub refuses a step's summary above 1 MiB; a page that is read stays far below.
LIMIT = 60_000
#: A claim is held or broken; an arm, and so a run, is what was expected of it or not.
_CLAIMS = {"held": "✔ held", "broken": "✘ broken", "cannot tell": "? cannot tell"}
_OUTCOMES = _CLAIMS | {"held": "✔ as expected", "broken": "✘ not as expected"}
_CUT = "\n\n(cut here; all of it is in results.json)\n"


def summary(results: Results) -> str:
    text = "\n".join(_lines(results)) + "\n"
    page = text.encode()
    if len(page) <= LIMIT:
        return text
    return page[: LIMIT - len(_CUT)].decode(errors="ignore") + _CUT


def _lines(results: Results) -> Iterator[str]:
    yield f"## {_plain(results.title)}: {_outcome(results.verdict)}"
    yield ""
    yield _plain(results.question)
    yield ""
    if results.problem:
        yield f"**{_plain(results.problem)}**"
        yield ""
    yield from _arms(results)
    yield f"> {_plain(results.lesson)}"
    yield ""
    if results.claims:
        claims = (
            (c.id, c.arm, c.said, c.measured, _CLAIMS.get(c.verdict, c.verdict)) for c in results.claims
        )
        yield from _table(("claim", "arm", "said", "measured", "verdict"), claims)
    if results.faults:
        faults = ((f.arm, f"{f.fault} {f.target}", _time(f.begin), _time(f.end)) for f in results.faults)
        yield from _table(("arm", "fault", "from", "until"), faults)
    acts = ((act.act, _time(act.began), _time(act.seconds)) for act in results.acts)
    yield "<details><summary>Acts and versions</summary>"
    yield ""
    yield from _table(("act", "began", "took"), acts)
    yield from _table(("what", "version"), results.versions.items())
    yield "</details>"
    yield ""
    yield f"{results.shoppers:,} shoppers, seed {results.seed}, exit code {results.exit_code}. Once more:"
    yield ""
    yield "```"
    yield clean(results.repeat).replace("`", "'")
    yield "```"


def _arms(results: Results) -> Iterator[str]:
    judged = [(name, arm, arm.ledger) for name, arm in results.arms.items() if arm.ledger is not None]
    if not judged:
        return
    head = ("arm", "expected", "kept", "lost", "unavailable", "errors seen", "p50", "p99", "verdict")
    rows = (
        (
            name,
            arm.expected or "-",
            *(f"{ledger['carts'][status]:,}" for status in ("kept", "lost", "unavailable")),
            f"{ledger['errors']['seen']:,}",
            _milliseconds(ledger["latency"]["p50"]),
            _milliseconds(ledger["latency"]["p99"]),
            _outcome(arm.verdict),
        )
        for name, arm, ledger in judged
    )
    yield from _table(head, rows)
    costs = ((name, arm.costs) for name, arm, _ in judged)
    spent = [_spent(name, each) for name, each in costs if each]
    if spent:
        kinds = ("servers", "balancer", "store", "shoppers", "driver")
        yield from _table(("CPU seconds", *kinds, "in seconds", "memory at most"), spent)
    for _, arm, _ in judged:
        yield f"- {_plain(arm.sentence or '')}"
    yield ""


def _spent(name: str, costs: Costs) -> tuple[str, ...]:
    kinds = ("servers", "balancer", "store", "shoppers", "driver")
    each = (f"{costs.cpu[kind]:.1f}" if kind in costs.cpu else "-" for kind in kinds)
    return (name, *each, f"{costs.seconds:.1f}", f"{costs.memory / 1e6:,.0f} MB")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield f"| {' | '.join(_plain(cell) for cell in row)} |"
    yield ""


def _plain(text: str) -> str:
    """``text`` as it is: nothing in it becomes markup, a link or a second cell."""
    line = clean(text)
    for sign in "\\`|<>[]*_":
        line = line.replace(sign, f"\\{sign}")
    return line


def _outcome(verdict: str | None) -> str:
    return _OUTCOMES.get(verdict or "", "no verdict")


def _time(seconds: float | None) -> str:
    return "not healed" if seconds is None else f"{seconds:.2f} s"


def _milliseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{1000 * seconds:.1f} ms"
