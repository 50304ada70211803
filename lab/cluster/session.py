"""What a user may have in hand when they ask where a session is, and its fingerprint. Pure."""

from __future__ import annotations

import re
from hashlib import sha256

from lab.errors import UsageProblem

COOKIE = "cart_sid"
_FINGERPRINT = re.compile(r"[0-9a-f]{12}")
#: In a Cookie or Set-Cookie line, or in a line of curl's cookie jar.
_NAMED = re.compile(rf"(?:^|[\s;:]){COOKIE}[=\s]\s*\"?([^\s;\",]+)")
_BARE = re.compile(r"[^\s;,=\"]+")


def fingerprint(given: str) -> str:
    """The fingerprint of a session given as such, as a cookie's value, or as a line that holds the cookie."""
    text = given.strip()
    if _FINGERPRINT.fullmatch(text):
        return text
    if named := _NAMED.search(text):
        text = named[1]
    elif not _BARE.fullmatch(text):
        raise UsageProblem(
            f"No session in {given!r}. Give the value of the cookie {COOKIE}, a whole Set-Cookie line, "
            "or the sessionId of an answer (12 hex digits)."
        )
    return sha256(text.encode()).hexdigest()[:12]
