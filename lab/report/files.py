"""All files of one run, written together once it is over."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from lab.report.junit import junit
from lab.report.recording import to_lines
from lab.report.summary import summary

if TYPE_CHECKING:
    from lab.history import History
    from lab.report.folder import RunFolder
    from lab.report.results import Results
    from lab.timeline import Timeline


def write(folder: RunFolder, results: Results, history: History, timeline: Timeline) -> None:
    """The evidence first, the verdict last: a folder with ``results.json`` is whole."""
    folder.write_lines("history.jsonl", history.to_lines())
    folder.write_lines("timeline.jsonl", to_lines(timeline))
    folder.write("junit.xml", junit(results))
    folder.write("summary.md", summary(results))
    folder.write("results.json", as_json(results) + "\n")
    folder.point_latest()


def as_json(results: Results) -> str:
    """One object: the content of ``results.json`` and all that ``--json`` prints."""
    return json.dumps(results.to_record(), indent=2, ensure_ascii=False)
