"""What a run leaves behind: ``runs/<scenario>/<UTC time>/``, and ``runs/latest`` that points at it."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING

from lab.errors import EnvironmentProblem

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

LATEST = "latest"


@dataclass(frozen=True, slots=True)
class RunFolder:
    """``path`` is this run's alone; ``runs`` holds all runs."""

    runs: Path
    path: Path

    @classmethod
    def create(cls, runs: Path, scenario: str, began: datetime | None = None) -> RunFolder:
        """A new folder. Runs of the same second get a number each; making the folder is what claims it."""
        try:
            return cls._create(runs, scenario, began)
        except OSError as problem:
            raise EnvironmentProblem(
                f"Tried to make a folder for this run in {runs}; got: {problem.strerror or problem}. "
                "Give a place that can be written with --runs DIR."
            ) from problem

    @classmethod
    def _create(cls, runs: Path, scenario: str, began: datetime | None) -> RunFolder:
        moment = (began or datetime.now(UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H-%M-%SZ")
        parent = runs / scenario
        parent.mkdir(parents=True, exist_ok=True)
        for number in count(1):
            path = parent / (moment if number == 1 else f"{moment}-{number}")
            try:
                path.mkdir()
            except FileExistsError:
                continue
            folder = cls(runs, path)
            folder.log.mkdir()
            return folder
        raise AssertionError("count() never ends")

    @property
    def log(self) -> Path:
        return self.path / "log"

    def write(self, name: str, text: str) -> Path:
        return _replace(self.path / name, text)

    def write_lines(self, name: str, lines: Iterable[str]) -> Path:
        """Line by line: a history of many shoppers need not stand in memory twice."""
        path = self.path / name
        with path.open("w", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)
        return path

    def point_latest(self) -> Path:
        """Make ``runs/latest`` this run, in one step: who looks meanwhile sees the old one or the new one.

        It is a link relative to ``runs``, so that the whole folder can be moved; where links cannot be
        made it is a text file with the same path.
        """
        target = self.path.relative_to(self.runs)
        latest = self.runs / LATEST
        fresh = self.runs / f".{LATEST}.{os.getpid()}"
        fresh.unlink(missing_ok=True)
        try:
            fresh.symlink_to(target, target_is_directory=True)
        except (OSError, NotImplementedError):
            return _replace(latest, f"{target}\n")
        with contextlib.suppress(IsADirectoryError):  # somebody's own folder of that name is left alone
            fresh.replace(latest)
        fresh.unlink(missing_ok=True)
        return latest


def _replace(path: Path, text: str) -> Path:
    """All of ``text`` or none of it, whenever the run is cut off."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)
    return path
