"""May a failed request be sent to another server? The whole rule as one table."""

from __future__ import annotations

from itertools import product

import pytest

from lb.retry import Decision, Phase, decide, may_repeat


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"])
def test_idempotent_methods_may_be_repeated(method: bytes) -> None:
    assert may_repeat(method, has_key=False, retry_keyed=False)


@pytest.mark.parametrize("method", [b"POST", b"PATCH", b"FOO", b"get"])
@pytest.mark.parametrize(("has_key", "retry_keyed"), [(False, False), (True, False), (False, True)])
def test_other_methods_may_not_unless_key_and_operator_agree(
    *,
    method: bytes,
    has_key: bool,
    retry_keyed: bool,
) -> None:
    assert not may_repeat(method, has_key=has_key, retry_keyed=retry_keyed)
    assert may_repeat(method, has_key=True, retry_keyed=True)


@pytest.mark.parametrize(("repeatable", "replayable"), list(product((True, False), repeat=2)))
def test_a_request_that_reached_no_server_goes_elsewhere_whatever_it_is(
    *,
    repeatable: bool,
    replayable: bool,
) -> None:
    got = decide(Phase.CONNECTING, repeatable=repeatable, replayable=replayable, tries_left=1)
    assert got is Decision.RETRY


@pytest.mark.parametrize(
    ("repeatable", "replayable", "expected"),
    [
        (True, True, Decision.RETRY),
        (True, False, Decision.ANSWER_ERROR),
        (False, True, Decision.ANSWER_ERROR),
        (False, False, Decision.ANSWER_ERROR),
    ],
)
def test_a_request_that_was_sent_goes_elsewhere_only_if_it_is_harmless_and_still_there(
    *,
    repeatable: bool,
    replayable: bool,
    expected: Decision,
) -> None:
    assert decide(Phase.SENT, repeatable=repeatable, replayable=replayable, tries_left=1) is expected


@pytest.mark.parametrize(("repeatable", "replayable"), list(product((True, False), repeat=2)))
@pytest.mark.parametrize("tries_left", [0, 3])
def test_a_started_answer_is_cut_and_never_begun_again(
    *,
    repeatable: bool,
    replayable: bool,
    tries_left: int,
) -> None:
    got = decide(Phase.ANSWERED, repeatable=repeatable, replayable=replayable, tries_left=tries_left)
    assert got is Decision.CUT


@pytest.mark.parametrize("phase", [Phase.CONNECTING, Phase.SENT])
def test_tries_run_out(phase: Phase) -> None:
    assert decide(phase, repeatable=True, replayable=True, tries_left=0) is Decision.ANSWER_ERROR
