"""What of a request may be sent again."""

from __future__ import annotations

from lb.replay import Replay


def test_head_and_body_are_sent_again_byte_for_byte() -> None:
    replay = Replay(b"head", limit=10)
    replay.add(b"bo")
    replay.add(b"dy")
    assert replay.is_whole
    assert not replay.is_too_long
    assert replay.take(keep=True) == b"headbody"
    assert replay.take(keep=True) == b"headbody"


def test_the_limit_counts_the_head_too_and_is_itself_allowed() -> None:
    replay = Replay(b"head", limit=5)
    replay.add(b"b")
    assert not replay.is_too_long
    replay.add(b"o")
    assert replay.is_too_long


def test_what_was_forgotten_is_never_whole_again() -> None:
    replay = Replay(b"head", limit=5)
    replay.add(b"body")
    replay.forget()
    replay.add(b"!")
    assert not replay.is_whole
    assert replay.take(keep=True) == b""
    assert replay.size == len(b"headbody!")


def test_what_must_not_be_repeated_is_kept_no_longer_than_until_it_is_sent() -> None:
    replay = Replay(b"head", limit=10)
    replay.add(b"body")
    assert replay.take(keep=False) == b"headbody"
    assert not replay.is_whole


def test_what_is_too_long_is_sent_once_all_the_same() -> None:
    replay = Replay(b"head", limit=5)
    replay.add(b"body")
    assert replay.take(keep=True) == b"headbody"
    assert not replay.is_whole
