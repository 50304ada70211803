from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from lab.history import History, Kind, Operation, Outcome

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
