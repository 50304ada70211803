"""The teacher's page is what the scenarios say."""

from __future__ import annotations

import os
from pathlib import Path

from lab.scenarios import SCENARIOS
from lab.teaching import page

PAGE = Path(__file__).parents[2] / "docs" / "scenarios.md"


def test_the_page_is_drawn_from_the_declarations() -> None:
    """To draw it anew: CARTLAB_REWRITE_GOLDEN=1."""
    drawn = page(SCENARIOS.values())
    if os.environ.get("CARTLAB_REWRITE_GOLDEN"):
        PAGE.write_text(drawn, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == drawn
