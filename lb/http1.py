"""The grammar of HTTP/1.1 messages (RFC 9112), shared by requests and responses.

A head is read strictly: CRLF line ends only, token names, no space before a colon, no folding, no
control characters. One regular expression states all of it, so C code says in a microsecond that a
head is well formed; only one that does not match is looked at again, slowly, to tell what is wrong.

A head is never rebuilt from parsed pieces: its field lines pass on as they stand, in their order
and casing, minus the lines that belong to this hop only (RFC 9110 7.6.1).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from lb.refusals import BadMessage

if TYPE_CHECKING:
    from collections.abc import Collection

#: Limits, in bytes; more is refused rather than buffered.
MAX_HEAD: Final = 16 * 1024
MAX_TARGET: Final = 8 * 1024
MAX_FIELDS: Final = 100
MAX_DIGITS: Final = 18

#: How long a body is: a number of bytes, or one of these.
CHUNKED: Final = -1
UNTIL_CLOSE: Final = -2

TOKEN: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
VALUE: Final = rb"[\t\x20-\x7e\x80-\xff]*+"
FIELDS: Final = rb"(?:" + TOKEN + rb"++:" + VALUE + rb"\r\n)*+"

#: Fields that ``Connection`` must not be able to take away by naming them.
PROTECTED: Final = frozenset(
    b"host content-length transfer-encoding cookie set-cookie via forwarded "
    b"x-forwarded-for x-forwarded-proto x-forwarded-host x-forwarded-port".split()
)


def finder(names: bytes) -> re.Pattern[bytes]:
    """Finds the fields of these names (a regular expression) in a head, as (name, value) pairs."""
    return re.compile(rb"\n(?i:(" + names + rb")):[ \t]*([^\r]*)")


def without(block: bytes, names: Collection[bytes]) -> bytes:
    """``block`` minus the lines of these (lower-case) names."""
    lines = block.split(b"\r\n")
    return b"\r\n".join(line for line in lines if line.partition(b":")[0].lower() not in names)


@lru_cache(maxsize=256)
def options_of(value: bytes) -> frozenset[bytes]:
    """The options in the value of a ``Connection`` field, lower-cased; the same few come all the time."""
    return frozenset(option.strip(b" \t").lower() for option in value.split(b",")) - {b""}


def content_length(value: bytes, status: int) -> int:
    """The number of bytes; ``status`` is what to answer when it is none."""
    if value.isdigit() and len(value) <= MAX_DIGITS:
        return int(value)
    raise BadMessage(status, "Content-Length must be one number of digits only (RFC 9112 6.3)")
