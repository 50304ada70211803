"""The same facts line by line. The transcript is a file: read its diff as you would read code.

``CARTLAB_REWRITE_GOLDEN=1 pytest tests/unit/test_view_plain.py`` writes it anew.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from lab.timeline import Judged, Noted, RunBegan, ServerChanged
from lab.view import sample
from lab.view.plain import Plain, Record

if TYPE_CHECKING:
    from lab.timeline import Event

GOLDEN = Path(__file__).parents[1] / "golden" / "plain.txt"


def told(*events: Event) -> str:
    file = io.StringIO()
    with Plain(Console(file=file, width=40)) as plain:
        for event in events:
            plain.handle(event)
    return file.getvalue()


def test_the_transcript_of_the_sample_run_is_the_one_on_file() -> None:
    text = told(*sample.events(shoppers=30))
    if os.environ.get("CARTLAB_REWRITE_GOLDEN"):
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8")


def test_every_record_is_one_line_of_the_same_columns_however_narrow_the_terminal() -> None:
    for line in told(*sample.events(shoppers=30)).splitlines():
        at, arm, what, text = line[:7], line[9:19], line[21:32], line[34:]
        assert float(at) >= 0
        assert arm.strip() in ("-", "sticky", "stateless")
        assert what.strip()
        assert text.strip()


def test_what_others_wrote_can_neither_break_a_line_nor_be_taken_for_markup() -> None:
    nasty = "a\nb [red]c[/red] :boom: \x1b[31m"
    text = told(ServerChanged(1.0, "sticky", "server-1", "down", nasty), Noted(2.0, nasty))
    records = text.splitlines()[:2]
    assert all("a b [red]c[/red] :boom:  [31m" in record for record in records)
    assert "\x1b" not in text


def test_a_run_that_ends_early_says_so() -> None:
    text = told(RunBegan(0.0, "crash", "t", "q", 1, 2, ("sticky",)))
    assert text.endswith("No verdict: the run ended early.\n")


def test_every_count_of_the_judge_is_told() -> None:
    counts = {"kept": 1_000, "lost": 2, "unavailable": 3, "duplicated": 4, "unexpected": 5, "unknown": 6}
    text = told(Judged(1.0, "sticky", "broken", "sentence", counts, "kept"))
    assert "1,000 kept, 2 lost, 3 unavailable, 4 duplicated, 5 unexpected, 6 unknown" in text
    assert "broken (expected: kept): sentence" in text


def test_a_record_reads_as_second_arm_what_text() -> None:
    record = Record(7.0, "sticky", "fault", "kill server-2")
    assert str(record) == "   7.00  sticky      fault        kill server-2"


async def test_nobody_waits_for_enter_without_a_terminal() -> None:
    file = io.StringIO()
    await Plain(Console(file=file), keyboard=io.StringIO()).wait_for_enter("Enter: heal")
    assert file.getvalue() == ""
