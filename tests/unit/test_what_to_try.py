from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

from lab.commands.what_to_try import own_command

if TYPE_CHECKING:
    import pytest


def test_the_lab_calls_itself_as_it_was_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARTLAB_AS", "./a fresh clone/cartlab")
    assert shlex.split(own_command()) == ["./a fresh clone/cartlab"]


def test_a_path_with_spaces_can_be_pasted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CARTLAB_AS", raising=False)
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(sys, "executable", "/a fresh clone/.venv/bin/python")
    assert shlex.split(own_command()) == ["/a fresh clone/.venv/bin/python", "-m", "lab"]
