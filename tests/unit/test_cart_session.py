from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cart.errors import BadCookie
from services.cart.session import COOKIE, Cookies

COOKIES = Cookies("a secret of the tests")
MINTED = COOKIES.mint()


def test_ids_are_long_and_never_the_same() -> None:
    ids = {COOKIES.mint().id for _ in range(1_000)}
    assert len(ids) == 1_000
    assert all(len(each) == 43 for each in ids), "256 bits in base64"
    assert not any(each.startswith("-") for each in ids), "a flag, where it is pasted into a command"


def test_what_was_minted_is_read_back() -> None:
    assert COOKIES.read(f"{COOKIE}={MINTED.wire}") == MINTED


def test_the_fingerprint_is_of_the_wire_and_tells_nothing() -> None:
    assert len(MINTED.fingerprint) == 12
    assert MINTED.fingerprint not in MINTED.wire


@pytest.mark.parametrize(
    "header", [None, "", "theme=dark", f"x{COOKIE}=1", f"{COOKIE}=", f"{COOKIE}", "=;=;;"]
)
def test_a_header_without_our_cookie_names_no_session(header: str | None) -> None:
    assert COOKIES.read(header) is None


@given(st.text(min_size=1, max_size=300).filter(lambda text: text.strip(' \t\r\n"') and ";" not in text))
def test_no_text_is_a_session(text: str) -> None:
    if not text.strip().strip('"'):
        return
    with pytest.raises(BadCookie):
        COOKIES.read(f"{COOKIE}={text}")


@given(st.integers(0, len(MINTED.wire) - 1), st.characters(codec="ascii", categories=("L", "N")))
def test_a_cookie_with_one_letter_changed_is_refused(at: int, letter: str) -> None:
    if MINTED.wire[at] == letter:
        return
    with pytest.raises(BadCookie):
        COOKIES.read(f"{COOKIE}={MINTED.wire[:at]}{letter}{MINTED.wire[at + 1 :]}")


@pytest.mark.parametrize("extra", ["!!", "=", "==", "!", "A"])
def test_a_signature_written_in_another_way_is_not_our_cookie(extra: str) -> None:
    with pytest.raises(BadCookie):
        COOKIES.read(f"{COOKIE}={MINTED.wire}{extra}")


@given(st.text(max_size=2_000))
def test_no_header_breaks_the_parser(header: str) -> None:
    try:
        session = COOKIES.read(header)
    except BadCookie:
        return
    assert session is None
