from __future__ import annotations

import pytest

from lab.errors import UsageProblem
from lab.targets import Target

CARTS = {"server-1": 98, "server-2": 104, "server-3": 98}


@pytest.mark.parametrize(
    ("text", "hit"),
    [
        ("biggest", ("server-2",)),
        ("server-3", ("server-3",)),
        ("1%", ("server-2",)),
        ("34%", ("server-2", "server-1")),
        ("50%", ("server-2", "server-1")),
        ("100%", ("server-2", "server-1", "server-3")),
    ],
)
def test_a_target_names_the_servers_it_hits(text: str, hit: tuple[str, ...]) -> None:
    assert Target(text).choose(CARTS) == hit


def test_a_tie_for_the_biggest_goes_to_the_first_name() -> None:
    assert Target("biggest").choose({"server-2": 5, "server-1": 5}) == ("server-1",)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("server-9", "server-1"),
        ("bigest", "biggest"),
        ("0%", "calm"),
        ("101%", "1% to 100%"),
        ("many%", "50%"),
        ("", "biggest"),
    ],
)
def test_a_target_that_cannot_be_is_refused_and_the_message_helps(text: str, says: str) -> None:
    with pytest.raises(UsageProblem, match=says):
        Target(text).check(list(CARTS))
