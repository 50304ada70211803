"""The README's picture is drawn by the real view, loads nothing, and is told in words too."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from lab.timeline import FaultBegan
from lab.view import picture, sample

DOCS = Path(__file__).parents[2] / "docs" / "crash.svg"


@pytest.fixture(scope="module", name="drawing")
def _drawing() -> str:
    events = sample.events(shoppers=60)
    return picture.svg(picture.state_of(events, picture.mid_failure(events)))


def test_the_picture_is_taken_while_a_server_is_down() -> None:
    events = sample.events(shoppers=60)
    state = picture.state_of(events, picture.mid_failure(events))
    assert [server.state for server in state.arm("sticky").servers] == ["up", "down", "up"]
    assert state.flow("sticky").traffic.lost > 0


def test_the_same_run_gives_the_same_picture(drawing: str) -> None:
    events = sample.events(shoppers=60)
    assert picture.svg(picture.state_of(events, picture.mid_failure(events))) == drawing


def test_a_run_that_broke_nothing_is_no_picture_of_a_failure() -> None:
    calm = [event for event in sample.events(shoppers=10) if not isinstance(event, FaultBegan)]
    with pytest.raises(SystemExit, match="broke nothing"):
        picture.mid_failure(calm)


@pytest.mark.parametrize("place", ["drawn", "in docs"])
def test_the_picture_loads_nothing_and_says_in_words_what_it_shows(place: str, drawing: str) -> None:
    text = drawing if place == "drawn" else DOCS.read_text(encoding="utf-8")
    root = ET.fromstring(text)  # noqa: S314 - our own drawing
    assert root.get("role") == "img"
    assert re.search(r"sticky: server-\d+ down, \d+ carts filled, \d+ emptied", root.get("aria-label") or "")
    assert "@font-face" not in text
    assert "url(http" not in text
    assert "DOWN" in text
