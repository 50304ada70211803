"""A head that is refused before it has ended would have been refused whole, and for as much."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import example, given
from hypothesis import strategies as st

from lb.diagnosis import diagnose_beginning
from lb.http1 import MAX_HEAD
from lb.refusals import BadMessage
from lb.request import parse_request

if TYPE_CHECKING:
    from collections.abc import Callable

GOOD = b"PATCH /cart?x=1 HTTP/1.1\r\nHost: shop\r\nCookie: a=b\r\nContent-Length: 5\r\n\r\n"
BYTES = st.sampled_from(
    [b"\r", b"\n", b"\r\n", b" ", b"\t", b":", b"\0", b"#", b"x", b"5", b"\xe4", b"\r\n "]
)
CHANGES = st.lists(st.tuples(st.integers(0, len(GOOD) - 5), st.integers(0, 4), BYTES), max_size=3)


def refusal(read: Callable[[], object]) -> int | None:
    """The status it is refused with."""
    try:
        read()
    except BadMessage as error:
        return error.status
    return None


@given(CHANGES)
@example([])
@example([(19, 1, b"2")])
def test_no_byte_more_would_have_changed_an_early_refusal(changes: list[tuple[int, int, bytes]]) -> None:
    head = GOOD
    for place, length, put in changes:
        head = head[:place] + put + head[place + length :]
    head = head.removeprefix(b"\r\n")  # one empty line is forgiven before either looks
    head = head[: (head + b"\r\n\r\n").index(b"\r\n\r\n")]
    in_the_end = refusal(lambda: parse_request(head + b"\r\n"))
    for cut in range(len(head)):
        early = refusal(lambda cut=cut: diagnose_beginning(head[:cut], MAX_HEAD))  # type: ignore[misc]  # bound now
        assert early in (None, in_the_end), head[:cut]
