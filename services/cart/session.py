"""Whose cart it is: one cookie, and an id that only a server of this site can make.

The cookie is ``<256 random bits>.<HMAC-SHA256>``. The signature lets any server refuse, without
asking anybody, an id that was not made here: a client can neither choose its own id nor plant one
on somebody else (session fixation). What is shown on screens and in answers is a fingerprint,
from which nobody gets back to the cookie.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass

from itsdangerous import Signer

from services.cart.errors import BadCookie

COOKIE = "cart_sid"
#: Beside it where shoppers carry their carts: the cart, sealed.
CARRIED = "cart_box"
_ID_BYTES = 32
#: Characters of an id that a login keeps: 96 bits, which name the shopper's line of sessions and open
#: nothing. The 160 bits behind them are new.
LINEAGE_LENGTH = 16
_FINGERPRINT_DIGITS = 12
#: An id and its signature are 87 characters; much more is no cookie of ours.
_LONGEST = 128


@dataclass(frozen=True, slots=True)
class Session:
    """``id`` is the store's key, ``wire`` the cookie's value as it travels."""

    id: str
    wire: str
    #: The cart itself where the strategy is that its shopper carries it; empty elsewhere.
    carried: str = ""

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(self.wire.encode()).hexdigest()[:_FINGERPRINT_DIGITS]


class Cookies:
    """Mints and verifies; all servers of a site share ``secret``, and know older ones alike."""

    def __init__(self, secret: str, *older: str) -> None:
        self._signer, *_ = self._signers = [
            Signer(each, salt="cart-session", digest_method=hashlib.sha256) for each in (secret, *older)
        ]
        self._rotation_key = hmac.digest(secret.encode(), b"cart login", "sha256")

    def mint(self) -> Session:
        session_id = secrets.token_urlsafe(_ID_BYTES)
        while session_id.startswith("-"):  # to a command line that a learner types, that is a flag
            session_id = secrets.token_urlsafe(_ID_BYTES)
        return Session(session_id, self._signer.sign(session_id).decode())

    def rotated(self, session: Session, key: str | None) -> Session:
        """The session that follows at a login; with the same key always the same.

        Who planted or knows the old id cannot tell the new one, for that takes the site's secret.
        """
        if key:
            told = hmac.digest(self._rotation_key, f"{session.id} {key}".encode(), "sha256")
            fresh = base64.urlsafe_b64encode(told).rstrip(b"=").decode()
        else:
            fresh = secrets.token_urlsafe(_ID_BYTES)
        session_id = session.id[:LINEAGE_LENGTH] + fresh[LINEAGE_LENGTH:]
        return Session(session_id, self._signer.sign(session_id).decode())

    def read(self, header: str | None) -> Session | None:
        """The session of a Cookie header, None when it names none; a false one is refused."""
        wire = _value_in(header or "", COOKIE)
        if not wire:
            return None
        if len(wire) > _LONGEST:
            raise BadCookie(f"The cookie {COOKIE} has {len(wire)} characters; ours are shorter. {_NEXT}")
        sent = wire.encode("utf-8", "replace")
        for signer in self._signers:
            if (session_id := _unsigned(signer, sent)) is not None:
                return Session(session_id, wire, _value_in(header or "", CARRIED))
        raise BadCookie(f"{_NOT_OURS} {_NEXT}")


def _unsigned(signer: Signer, sent: bytes) -> str | None:
    """Signed anew and compared whole: base64 can be written in several ways, and only ours is the cookie,
    or a cart had many names.
    """
    session_id = sent.rpartition(b".")[0]
    return session_id.decode() if hmac.compare_digest(signer.sign(session_id), sent) else None


_NOT_OURS = f"The cookie {COOKIE} was not made by this site, or was cut."
_NEXT = "This answer clears it; send the request again without it and you get a cart of your own."

_ATTRIBUTES = "Path=/; HttpOnly; SameSite=Lax"
SET_COOKIE = f"{COOKIE}={{}}; {_ATTRIBUTES}"
SET_CARRIED = f"{CARRIED}={{}}; {_ATTRIBUTES}"
CLEAR_COOKIE = f"{COOKIE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"
CLEAR_CARRIED = CLEAR_COOKIE.replace(COOKIE, CARRIED)


def _value_in(header: str, wanted: str) -> str:
    """The first value under our name.

    Some clients send back the whole Set-Cookie line; its attributes are pairs like any other here.
    """
    for pair in header.split(";"):
        name, _, value = pair.partition("=")
        if name.strip() == wanted:
            return value.strip().strip('"')
    return ""
