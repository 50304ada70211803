"""What a user has in hand when they ask where a session is."""

from __future__ import annotations

from hashlib import sha256

import pytest

from lab.cluster.session import fingerprint
from lab.errors import UsageProblem

COOKIE = "s3cr3t-r4nd0m.Sig-nature_1"
EXPECTED = sha256(COOKIE.encode()).hexdigest()[:12]


@pytest.mark.parametrize(
    "given",
    [
        COOKIE,
        f"  {COOKIE}\n",
        EXPECTED,
        f"cart_sid={COOKIE}",
        f'cart_sid="{COOKIE}"',
        f"Set-Cookie: cart_sid={COOKIE}; Path=/; HttpOnly; SameSite=lax",
        f"set-cookie:cart_sid={COOKIE}",
        f"Cookie: theme=dark; cart_sid={COOKIE}; other=1",
        f"#HttpOnly_127.0.0.1\tFALSE\t/\tFALSE\t0\tcart_sid\t{COOKIE}",
    ],
    ids=[
        "value",
        "spaces",
        "fingerprint",
        "pair",
        "quoted",
        "set-cookie",
        "no space",
        "among others",
        "curl's jar",
    ],
)
def test_every_form_of_a_session_has_one_fingerprint(given: str) -> None:
    assert fingerprint(given) == EXPECTED


@pytest.mark.parametrize(
    "given", ["", "   ", "theme=dark", "my_cart_sid=x", "Set-Cookie: theme=dark", "two words"]
)
def test_what_holds_no_session_is_refused_with_what_would(given: str) -> None:
    with pytest.raises(UsageProblem, match="Give the value of the cookie cart_sid"):
        fingerprint(given)
