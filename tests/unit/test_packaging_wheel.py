"""What a wheel of the project would hold, and that its metadata agrees with the rest of the house."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

HOUSE = Path(__file__).parents[2]
ROOMS = ("lab", "lb", "services")
PROJECT: dict[str, Any] = tomllib.loads((HOUSE / "pyproject.toml").read_text())["project"]
BUILD = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"


def files_of(root: Path) -> set[str]:
    found = (path for room in ROOMS for path in (root / room).rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix() for path in found if "__pycache__" not in path.parts}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    source = tmp_path_factory.mktemp("source")
    for room in ROOMS:
        shutil.copytree(HOUSE / room, source / room, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(HOUSE / name, source)
    subprocess.run([sys.executable, "-c", BUILD, "out"], cwd=source, check=True, capture_output=True)
    (file,) = (source / "out").glob("*.whl")
    return set(zipfile.ZipFile(file).namelist())


def test_a_wheel_holds_every_file_of_the_three_rooms(wheel: set[str]) -> None:
    assert {name for name in wheel if ".dist-info/" not in name} == files_of(HOUSE)


def test_a_wheel_holds_the_licence(wheel: set[str]) -> None:
    assert any(name.endswith("/LICENSE") for name in wheel)


def test_the_command_cartlab_is_there_after_an_installation() -> None:
    (command,) = metadata.entry_points(group="console_scripts", name="cartlab")
    assert callable(command.load())


def test_the_changelog_knows_the_version() -> None:
    headings = re.findall(r"(?m)^## \[([\w.]+)\]", (HOUSE / "CHANGELOG.md").read_text())
    assert PROJECT["version"] in headings
    assert headings[0] in {"Unreleased", PROJECT["version"]}
