"""A cart as a token that only this site can open or make: encrypted and authenticated by Fernet.

The key is derived from the site's secret, so nobody has one more secret to guard; older secrets
still open what they sealed, which is how a secret is rotated without losing a cart. The token names
its session, so the token of one shopper opens nothing in another's hands.

Clocks of servers differ: a token from the future is believed up to ``CLOCK_TOLERANCE`` seconds, and
refused beyond it with the reason, never read as an empty cart.
"""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from services.cart.errors import BadCart, NoSuchSession
from services.cart.model import Cart
from services.cart.strategies.records import flat, lines_of

if TYPE_CHECKING:
    from collections.abc import Sequence

CLOCK_TOLERANCE = 60
_LAYOUT = 1
_KEY_BYTES = 32
_NOT_OURS = "The cart in the cookie was not sealed by this site, or was changed."


@dataclass(frozen=True, slots=True)
class Sealed:
    """What a token holds; times are unix seconds by the clock of who sealed it."""

    session: str
    cart: Cart
    born: float
    used: float
    #: Keys done lately, each with the change it stood for, both as short digests; newest last.
    done: tuple[tuple[str, str], ...] = field(default=())
    who: str = ""


class Sealer:
    def __init__(self, secrets: Sequence[str], *, idle: float, longest: float) -> None:
        """``secrets``: the first seals, all of them open."""
        self._fernet = MultiFernet([Fernet(_key(secret)) for secret in secrets])
        self._idle = idle
        self._longest = longest

    def seal(self, sealed: Sealed) -> str:
        content = {
            "_v": _LAYOUT,
            "session": sealed.session,
            "revision": sealed.cart.revision,
            "lines": flat(sealed.cart.lines),
            "born": int(sealed.born),
            "done": [each for pair in sealed.done for each in pair],
        }
        if sealed.who:
            content["who"] = sealed.who
        packed = zlib.compress(json.dumps(content, separators=(",", ":")).encode(), 9)
        return self._fernet.encrypt_at_time(packed, int(sealed.used)).decode()

    def open(self, token: str, session: str, now: float) -> Sealed:
        """Raises ``NoSuchSession`` for an expired one, ``BadCart`` for one that is none of ours."""
        content, used = self._decrypted(token)
        if content["session"] != session:
            raise BadCart("The cart in the cookie is sealed for another session than the one beside it.")
        if content["_v"] > _LAYOUT:
            raise BadCart(
                f"The cart is sealed in layout {content['_v']}, newer than the {_LAYOUT} that this release "
                "understands. Ask a server of the newer release.",
                clears=False,
            )
        if used > now + CLOCK_TOLERANCE:
            raise BadCart(
                f"The cart was sealed {used - now:.0f} s in the future by this server's clock, and "
                f"{CLOCK_TOLERANCE} s are forgiven: some server's clock is wrong. It is left as it is.",
                clears=False,
            )
        if now - used >= self._idle or now - content["born"] >= self._longest:
            raise NoSuchSession
        done = content["done"]
        return Sealed(
            session,
            Cart(lines_of(content["lines"]), content["revision"]),
            content["born"],
            used,
            tuple(zip(done[::2], done[1::2], strict=True)),
            content.get("who", ""),
        )

    def _decrypted(self, token: str) -> tuple[dict[str, Any], int]:
        try:
            sent = token.encode("ascii")
            packed = self._fernet.decrypt(sent)
            used = self._fernet.extract_timestamp(sent)
        except (InvalidToken, ValueError):
            raise BadCart(_NOT_OURS) from None
        # Base64 can be written in several ways; only ours is the token.
        if base64.urlsafe_b64encode(base64.urlsafe_b64decode(sent)) != sent:
            raise BadCart(_NOT_OURS)
        content: dict[str, Any] = json.loads(zlib.decompress(packed))
        return content, used


def _key(secret: str) -> bytes:
    derived = HKDF(SHA256(), _KEY_BYTES, salt=None, info=b"cart in a cookie").derive(secret.encode())
    return base64.urlsafe_b64encode(derived)
