"""A run's folder is its own, and ``latest`` is always a whole one."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from lab.errors import EnvironmentProblem
from lab.report.folder import RunFolder

NOON = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


def test_a_folder_is_named_by_scenario_and_time_in_utc(tmp_path: Path) -> None:
    in_berlin = NOON.astimezone(timezone(timedelta(hours=1)))
    folder = RunFolder.create(tmp_path, "crash", in_berlin)
    assert folder.path == tmp_path / "crash" / "2026-03-01T12-00-00Z"
    assert folder.log.is_dir()


def test_runs_of_the_same_second_do_not_meet(tmp_path: Path) -> None:
    folders = [RunFolder.create(tmp_path, "crash", NOON) for _ in range(3)]
    assert [folder.path.name[-3:] for folder in folders] == ["00Z", "Z-2", "Z-3"]


def test_latest_is_a_link_that_survives_a_move_of_the_whole_folder(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    for moment in (NOON, NOON + timedelta(seconds=1)):
        folder = RunFolder.create(runs, "crash", moment)
        folder.write("results.json", moment.isoformat())
        folder.point_latest()
    moved = runs.rename(tmp_path / "elsewhere")
    assert (moved / "latest" / "results.json").read_text() == "2026-03-01T12:00:01+00:00"
    assert sorted(path.name for path in moved.iterdir()) == ["crash", "latest"]


def test_where_links_cannot_be_made_latest_is_a_text_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no links here")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    folder = RunFolder.create(tmp_path, "crash", NOON)
    folder.point_latest()
    assert (tmp_path / (tmp_path / "latest").read_text().strip()) == folder.path


def test_somebodys_own_folder_called_latest_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "latest").mkdir()
    (tmp_path / "latest" / "mine").touch()
    RunFolder.create(tmp_path, "crash", NOON).point_latest()
    assert (tmp_path / "latest" / "mine").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["crash", "latest"]


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "crash", NOON)
    folder.write("results.json", "old")
    with pytest.raises(UnicodeEncodeError):
        folder.write("results.json", "new \ud800")
    assert (folder.path / "results.json").read_text() == "old"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_place_that_cannot_be_written_is_refused_with_the_way_out(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(EnvironmentProblem, match="--runs DIR"):
        RunFolder.create(tmp_path, "crash", NOON)


def test_a_file_where_the_runs_should_be_is_refused_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "runs").touch()
    with pytest.raises(EnvironmentProblem, match="--runs DIR"):
        RunFolder.create(tmp_path / "runs", "crash", NOON)
