from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.history import History, Kind, Operation, Outcome, changed_elsewhere

TIMES = st.floats(0, 1e6)
WORDS = st.none() | st.text()
OPERATIONS = st.builds(
    Operation,
    arm=st.sampled_from(["sticky", "stateless"]),
    shopper=st.integers(0, 5000),
    kind=st.sampled_from(Kind),
    intended=TIMES,
    invoked=TIMES,
    completed=st.none() | TIMES,
    outcome=st.sampled_from(Outcome),
    item=WORDS,
    key=WORDS,
    server=WORDS,
    error=WORDS,
    cart=st.none() | st.dictionaries(st.text(), st.integers(1, 99)),
)


@given(st.lists(OPERATIONS, max_size=5))
def test_a_history_survives_its_file(operations: list[Operation]) -> None:
    history = History(operations)
    assert History.from_lines(history.to_lines()) == history


def test_every_line_is_one_json_object_with_its_place_in_the_order() -> None:
    add = Operation("sticky", 1, Kind.ADD, 0, 0, 1, Outcome.OK, item="tea\n\u2028", quantity=1)
    lines = list(History([add, add]).to_lines())
    assert [json.loads(line)["index"] for line in lines] == [0, 1]
    assert all("\n" not in line for line in lines)
    assert json.loads(lines[0])["outcome"] == "ok"


def test_only_an_acknowledged_operation_is_no_error_to_a_shopper() -> None:
    seen = {outcome: Operation("a", 1, Kind.READ, 0, 0, 1, outcome).is_visible_error for outcome in Outcome}
    assert seen == {Outcome.OK: False, Outcome.FAIL: True, Outcome.INFO: True}


def test_an_arm_finds_its_own_operations() -> None:
    mine, other = (Operation(arm, 1, Kind.READ, 0, 0, 1, Outcome.OK) for arm in ("sticky", "stateless"))
    history = History()
    history.add(mine)
    history.add(other)
    assert list(history.of_arm("sticky")) == [mine]


HOME, ELSEWHERE = "server-1", "server-2"
CRASH_AT = 10.0


def add(at: float, server: str, kind: Kind = Kind.ADD, outcome: Outcome = Outcome.OK) -> Operation:
    return Operation("memory", 1, kind, at, at, at + 0.5, outcome, server=server)


@pytest.mark.parametrize(
    ("after", "moved"),
    [
        (add(11, ELSEWHERE), 1),
        (add(11, HOME), 0),
        (add(11, ELSEWHERE, Kind.READ), 0),
        (add(11, ELSEWHERE, outcome=Outcome.INFO), 0),
        (add(9.8, ELSEWHERE), 0),
    ],
)
def test_only_a_change_acknowledged_elsewhere_since_is_one(after: Operation, moved: int) -> None:
    assert changed_elsewhere([add(1, HOME), after], [HOME], CRASH_AT) == moved


def test_who_was_at_home_elsewhere_has_not_moved() -> None:
    assert changed_elsewhere([add(1, ELSEWHERE), add(11, ELSEWHERE)], [HOME], CRASH_AT) == 0
    assert changed_elsewhere([add(11, ELSEWHERE)], [HOME], CRASH_AT) == 0
