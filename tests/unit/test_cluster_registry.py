"""The registry tells living runs from dead ones, and nobody else can plant anything in it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lab.cluster.places import new_den, state_root
from lab.cluster.registry import Member, Record, Registry, with_member
from lab.errors import EnvironmentProblem

ME = Member.of("driver", os.getpid())
RECORD = Record(
    kind="site", name="sticky", driver=ME, group=7, members=(Member("one", 1, 2.5),), folders=("/den",),
    site={"front": "http://127.0.0.1:8080"},
)  # fmt: skip


def test_a_record_survives_the_file(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "state")
    entry = registry.enter(registry.new_folder())
    entry.write(RECORD)
    assert registry.living("site") == [RECORD]
    assert registry.living("run") == []
    entry.close()
    assert registry.all() == []


def test_an_entry_is_dead_as_soon_as_its_lock_is_gone(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "state")
    entry = registry.enter(registry.new_folder())
    entry.write(RECORD)
    assert registry.dead() == []
    os.close(entry.lock)
    assert [dead.record for dead in registry.dead()] == [RECORD]


def test_an_entry_without_a_record_yet_is_alive_or_dead_all_the_same(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "state")
    entry = registry.enter(registry.new_folder())
    assert registry.dead() == []
    os.close(entry.lock)
    assert [dead.record for dead in registry.dead()] == [None]


def test_a_damaged_record_counts_as_none(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "state")
    entry = registry.enter(registry.new_folder())
    (entry.folder / "record.json").write_text('{"kind": "site"')
    assert [found.record for found in registry.all()] == [None]
    entry.close()


def test_strange_files_in_the_registry_are_ignored(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "state")
    assert registry.all() == []
    (registry.root / "notes.txt").touch()
    assert registry.all() == []


def test_a_restarted_server_replaces_its_earlier_process() -> None:
    changed = with_member(RECORD, Member("one", 9, 9.0))
    assert changed.members == (Member("one", 9, 9.0),)
    assert with_member(RECORD, Member("two", 9, 9.0)).members == (*RECORD.members, Member("two", 9, 9.0))


@pytest.mark.parametrize("mode", [0o755, 0o777, 0o720])
def test_a_registry_that_others_may_enter_is_refused(mode: int, tmp_path: Path) -> None:
    tmp_path.chmod(mode)
    with pytest.raises(EnvironmentProblem, match="only you can use"):
        Registry(tmp_path).all()


def test_a_registry_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "state").symlink_to(tmp_path / "real")
    with pytest.raises(EnvironmentProblem, match="only you can use"):
        Registry(tmp_path / "state").all()


def test_a_registry_that_cannot_be_made_is_refused_with_a_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EnvironmentProblem, match="CARTLAB_STATE"):
        Registry(tmp_path / "file" / "state").all()


def test_where_the_registry_stands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TMPDIR", "/some/tmp")
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.delenv("CARTLAB_STATE", raising=False)
    assert state_root() == Path(f"/some/tmp/cartlab-{os.getuid()}")
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/nowhere")
    assert state_root() == Path(f"/some/tmp/cartlab-{os.getuid()}")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert state_root() == tmp_path / "cartlab"
    monkeypatch.setenv("CARTLAB_STATE", "/mine")
    assert state_root() == Path("/mine")


@pytest.mark.parametrize("temporary", ["/tmp", "/var/folders/zz/zyxvpxvq6csfxvn_n0000000000000/T", "/x" * 50])
def test_a_den_is_short_enough_for_sockets_even_on_macos(
    temporary: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", temporary)
    assert len(str(new_den() / "stateless-store" / "sock")) < 104
    assert new_den() != new_den()
