"""The locks hold all that is declared, only pins with hashes, and no trace of where they were compiled."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

HOUSE = Path(__file__).parents[2]
REQUIREMENTS = HOUSE / "requirements"
PROJECT: dict[str, Any] = tomllib.loads((HOUSE / "pyproject.toml").read_text())
LOCKS = ("run", "test", "serve")


def declared(name: str) -> dict[str, Requirement]:
    lines = (REQUIREMENTS / f"{name}.in").read_text().splitlines()
    return by_name([line for line in lines if line and not line.startswith(("#", "-"))])


def by_name(requirements: list[str]) -> dict[str, Requirement]:
    return {canonicalize_name(r.name): r for r in map(Requirement, requirements)}


def entries(name: str) -> list[str]:
    """A lock's entries, each with the hashes that follow it."""
    return re.split(r"\n(?=\S)", (REQUIREMENTS / f"{name}.txt").read_text().strip())


def pinned(name: str) -> dict[str, str]:
    pins = by_name([entry.partition("\\")[0] for entry in entries(name)])
    return {package: str(requirement.specifier).removeprefix("==") for package, requirement in pins.items()}


def needs(package: str) -> list[str]:
    """What an installed package requires on this machine, extras not counted."""
    requirements = map(Requirement, metadata.requires(package) or [])
    return [
        canonicalize_name(r.name)
        for r in requirements
        if r.marker is None or r.marker.evaluate({"extra": ""})
    ]


def is_installed(package: str) -> bool:
    try:
        metadata.distribution(package)
    except metadata.PackageNotFoundError:
        return False
    return True


def test_a_run_declares_what_the_project_depends_on_and_what_installs_it() -> None:
    dependencies = by_name(PROJECT["project"]["dependencies"])
    builders = by_name(PROJECT["build-system"]["requires"])
    assert set(declared("run")) == set(dependencies) | set(builders)


def test_the_test_group_is_what_the_tests_declare() -> None:
    assert set(declared("test")) == set(by_name(PROJECT["dependency-groups"]["test"]))


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_satisfies_every_declaration(lock: str) -> None:
    versions = pinned(lock)
    wanted = dict(declared(lock))
    if lock == "run":
        wanted |= by_name(PROJECT["project"]["dependencies"] + PROJECT["build-system"]["requires"])
    unmet = [
        str(r) for name, r in wanted.items() if name not in versions or versions[name] not in r.specifier
    ]
    assert not unmet, "compile the locks again: scripts/lock"


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_is_exact_and_hashed(lock: str) -> None:
    loose = [
        entry
        for entry in entries(lock)
        if not re.match(r"[\w.-]+==[\w.]+ .*--hash=sha256:[0-9a-f]{64}", entry, re.DOTALL)
    ]
    assert not loose


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_does_not_say_where_it_was_compiled(lock: str) -> None:
    text = (REQUIREMENTS / f"{lock}.txt").read_text()
    assert not re.findall(r"(?m)^\s*#.*|--(?:index|extra|find|trusted).*|\w+://\S*|/\S*", text)


def test_a_run_needs_nothing_outside_its_lock() -> None:
    versions = pinned("run")
    missing = {name: [n for n in needs(name) if n not in versions] for name in versions if is_installed(name)}
    assert not {name: what for name, what in missing.items() if what}


def test_tests_need_nothing_outside_the_two_locks() -> None:
    versions = pinned("run") | pinned("test")
    missing = {name: [n for n in needs(name) if n not in versions] for name in versions if is_installed(name)}
    assert not {name: what for name, what in missing.items() if what}


def test_the_locks_agree_where_they_overlap() -> None:
    run, test = pinned("run"), pinned("test")
    assert {name: test[name] for name in run.keys() & test.keys()} == {
        name: run[name] for name in run.keys() & test.keys()
    }


def test_the_images_serve_with_the_very_libraries_that_a_run_uses() -> None:
    assert pinned("serve").items() <= pinned("run").items()


def test_a_run_installs_no_test_tool() -> None:
    assert not set(declared("test")) & set(pinned("run"))


def test_what_is_installed_is_what_is_locked() -> None:
    versions = pinned("run") | pinned("test")
    installed = {name: metadata.version(name) for name in versions if is_installed(name)}
    assert installed == {name: versions[name] for name in installed}
