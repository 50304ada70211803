"""A request's fields that differ from those of the request before in a few values only.

A client's next request has another Idempotency-Key, another Content-Length, perhaps another cookie; the
rest of its lines are the same bytes. Those were read, and what they decide was decided. So the lines are
compared one by one, and only those that differ are read, as strictly as ever. Any other difference (another
number of lines, another name, a field that decides more) makes all of them be read anew.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lb.http1 import MAX_DIGITS, TOKEN, VALUE
from lb.onward import VERSION
from lb.request import FIND, Fields

if TYPE_CHECKING:
    from collections.abc import Callable

    #: How a ``Cookie`` line goes on, CRLF included; empty if not at all.
    Onward = Callable[[bytes], bytes]

_MOST: Final = 4
_LINE = re.compile(rb"(" + TOKEN + rb"++:)" + VALUE)
_COOKIE = re.compile(rb"(?i)cookie:")


def varied(last: Fields, raw: bytes, cookie_onward: Onward) -> Fields | None:
    """The fields in ``raw``, ready to go on; None where they have to be read whole.

    ``last`` went on already: its ``onward`` is its lines between the version and its ``tail``.
    """
    lines, known = raw.split(b"\r\n"), last.lines
    if known is None:
        known = last.lines = last.raw.split(b"\r\n")
    if len(lines) != len(known) or not last.onward:
        return None
    changed = [at for at, line in enumerate(lines) if line != known[at]]
    if len(changed) > _MOST:
        return None
    fields = _like(last, raw, lines)
    parts = fields.parts = _parts(last, known).copy()
    for at in changed:
        line = lines[at]
        name = _LINE.fullmatch(line)
        if name is None or not known[at].startswith(name[1]):
            return None
        part = _take(fields, line, cookie_onward)
        if part is None:
            return None
        if parts[at] or name[1].lower() == b"cookie:":  # others are empty since Connection names them
            parts[at] = part
    fields.onward = b"".join(parts)
    return fields


def _take(fields: Fields, line: bytes, cookie_onward: Onward) -> bytes | None:
    """Let ``line`` decide what it decides; how it goes on, or None where it decides too much."""
    found = FIND.match(b"\n" + line)
    if found is None:
        return line + b"\r\n"
    name, value = found[1].lower(), found[2].rstrip(b" \t")
    if name == b"idempotency-key":
        return line + b"\r\n"
    if name == b"content-length" and value.isdigit() and len(value) <= MAX_DIGITS:
        length, before = int(value), fields.length
        fields.length = length
        return line + b"\r\n" if length and before else None  # none at all may mean more
    if name == b"cookie" and len(fields.cookies) == 1:
        fields.cookies = [value]
        fields.sessions = fields.marks = fields.tie = None
        return cookie_onward(line + b"\r\n")
    return None


def _like(last: Fields, raw: bytes, lines: list[bytes]) -> Fields:
    fields = Fields(raw, b"")
    fields.lines, fields.tail = lines, last.tail
    fields.keep_alive, fields.host, fields.length = last.keep_alive, last.host, last.length
    fields.has_key, fields.cookies, fields.claims = last.has_key, last.cookies, last.claims
    fields.expects_continue, fields.upgrade, fields.via = last.expects_continue, last.upgrade, last.via
    fields.sessions, fields.marks, fields.tie = last.sessions, last.marks, last.tie
    return fields


def _parts(last: Fields, known: list[bytes]) -> list[bytes]:
    """``last.onward`` in as many parts as ``known`` has lines: one that stays behind is empty."""
    if last.parts is not None:
        return last.parts
    going = iter(last.onward[len(VERSION) : len(last.onward) - len(last.tail)].split(b"\r\n"))
    parts, then = [VERSION], next(going)
    for line in known[1:-1]:
        if line == then or (_COOKIE.match(line) and _COOKIE.match(then)):
            parts.append(then + b"\r\n")
            then = next(going)
        else:
            parts.append(b"")
    last.parts = [*parts, last.tail]
    return last.parts
