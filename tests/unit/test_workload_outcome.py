from __future__ import annotations

import pytest

from lab.history import Kind, Outcome
from lab.workload.outcome import cart_in, outcome_of_answer, outcome_of_silence

OK, FAIL, INFO = Outcome.OK, Outcome.FAIL, Outcome.INFO
UNSENT = {"X-Write": "not-attempted"}

ADDS = [
    *[(status, {}, 1, OK) for status in (200, 201, 204)],
    *[(status, {}, 1, FAIL) for status in (400, 403, 404, 405, 409, 410, 412, 413, 415, 422, 429, 431)],
    *[(status, {}, 1, INFO) for status in (302, 408, 418, 500, 502, 503, 504)],
    (503, UNSENT, 1, FAIL),
    (500, UNSENT, 1, INFO),
    (503, {"X-Write": "attempted"}, 1, INFO),
    (503, {"Proxy-Status": "lb; error=destination_unavailable"}, 1, FAIL),
    (502, {"Proxy-Status": 'lb;error=connection_refused; details="x"'}, 1, FAIL),
    (502, {"Proxy-Status": "lb; error=connection_terminated"}, 1, INFO),
    (504, {"Proxy-Status": "lb; error=http_response_timeout"}, 1, INFO),
    (502, {"Proxy-Status": "a; error=connection_refused, b; error=connection_terminated"}, 1, INFO),
    (502, {"Proxy-Status": "lb"}, 1, INFO),
    (502, {"Proxy-Status": 'lb; details="; error=connection_refused"'}, 1, INFO),
    (200, {}, 2, OK),
    (409, {}, 2, INFO),
    (503, UNSENT, 2, INFO),
    (503, {"Proxy-Status": "lb; error=destination_unavailable"}, 3, INFO),
]


@pytest.mark.parametrize(("status", "headers", "tries", "expected"), ADDS)
def test_an_answer_to_an_add_means(
    status: int, headers: dict[str, str], tries: int, expected: Outcome
) -> None:
    assert outcome_of_answer(Kind.ADD, status, headers, tries=tries) is expected


@pytest.mark.parametrize("kind", [Kind.READ, Kind.FINAL_READ])
@pytest.mark.parametrize(("status", "tries"), [(404, 1), (500, 1), (502, 2), (504, 1)])
def test_a_read_that_was_not_answered_changed_nothing(kind: Kind, status: int, tries: int) -> None:
    assert outcome_of_answer(kind, status, {}, tries=tries) is FAIL


@pytest.mark.parametrize(
    ("kind", "may_have_been_sent", "expected"),
    [(Kind.ADD, True, INFO), (Kind.ADD, False, FAIL), (Kind.READ, True, FAIL), (Kind.READ, False, FAIL)],
)
def test_silence_means(kind: Kind, may_have_been_sent: bool, expected: Outcome) -> None:  # noqa: FBT001 - a table's column
    assert outcome_of_silence(kind, may_have_been_sent=may_have_been_sent) is expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"cart": []}, {}),
        ({"cart": [{"item": "tea", "price": 3.5, "quantity": 2}]}, {"tea": 2}),
        ({"cart": [{"item": "tea", "price": 3.5}, {"item": "tea", "price": 3.5}]}, {"tea": 2}),
        ({"cart": None}, None),
        ({"cart": ["tea"]}, None),
        ({"cart": [{"item": "tea", "quantity": "many"}]}, None),
        ({}, None),
        (None, None),
        ("no", None),
    ],
)
def test_a_cart_in_an_answer_is(answer: object, expected: dict[str, int] | None) -> None:
    assert cart_in(answer) == expected
