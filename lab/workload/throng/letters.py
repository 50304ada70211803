"""What a shopper of the throng writes and reads: request bytes, cookies, and what an answer says. Pure."""

from __future__ import annotations

import json
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Any

from lab.history import Kind, Outcome
from lab.workload.outcome import cart_in, outcome_of_answer, outcome_of_silence
from lab.workload.throng.slots import Facts, Said

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lab.workload.catalogue import Product
    from lab.workload.throng.wishes import Wish

_END = b"\r\n\r\n"
_WORDS = 200


class Letters:
    """Requests to ``host``, made of parts that are the same for everybody."""

    def __init__(self, host: str, products: Sequence[Product]) -> None:
        name = f"\r\nHost: {host}".encode()
        self._look = b"GET /cart HTTP/1.1" + name
        head = b"POST /cart/add HTTP/1.1" + name + b"\r\nContent-Type: application/json\r\nContent-Length: "
        bodies = [
            json.dumps({"item": product.item, "price": product.price, "quantity": 1}).encode()
            for product in products
        ]
        self._adds = [(head + str(len(body)).encode(), _END + body) for body in bodies]

    def look(self, cookie: bytes) -> bytes:
        return self._look + _field(b"Cookie", cookie) + _END

    def add(self, wish: Wish, cookie: bytes) -> bytes:
        head, end = self._adds[wish.number]
        key = _field(b"Idempotency-Key", wish.key.encode()) if wish.key else b""
        return head + key + _field(b"Cookie", cookie) + end


def _field(name: bytes, value: bytes) -> bytes:
    return b"\r\n%b: %b" % (name, value) if value else b""


def with_cookies(cookie: bytes, set_cookies: Sequence[bytes]) -> bytes:
    """The ``Cookie`` field to send from now on. All cookies of one site are for all of its paths."""
    jar = dict(pair.split(b"=", 1) for pair in cookie.split(b"; ") if pair)
    for line in set_cookies:
        try:
            morsels = SimpleCookie(line.decode("latin-1"))
        except CookieError:
            continue
        for name, morsel in morsels.items():
            if morsel["max-age"] == "0" or not morsel.value:
                jar.pop(name.encode("latin-1"), None)
            else:
                jar[name.encode("latin-1")] = morsel.coded_value.encode("latin-1")
    return b"; ".join(b"%b=%b" % pair for pair in jar.items())


class Reading:
    """Understands answers; what they say about themselves is remembered, for it is ever the same."""

    def __init__(self) -> None:
        self._facts: dict[tuple[bytes | None, ...], Facts] = {}

    def said(
        self,
        kind: Kind,
        invoked: float,
        completed: float,
        answer: tuple[int, Mapping[bytes, bytes], bytes],
    ) -> Said:
        """``answer`` is status, headers and body. The same rules as for one shopper at a time."""
        status, headers, body = answer
        facts = self._facts_of(headers)
        outcome = outcome_of_answer(kind, status, _telling(status, headers), tries=facts.tries)
        shown = _json(body) if outcome is Outcome.OK else None
        cart = cart_in(shown)
        if outcome is Outcome.OK and cart is None:
            outcome = outcome_of_silence(kind, may_have_been_sent=True)
        if outcome is not Outcome.OK:
            words = " ".join(body[:_WORDS].decode(errors="replace").split())
            facts = facts._replace(error=f"{status}: {words}")
        session = shown.get("sessionId") if isinstance(shown, dict) else None
        return Said(invoked, completed, outcome, status, facts, cart, session)

    def _facts_of(self, headers: Mapping[bytes, bytes]) -> Facts:
        seen = tuple(map(headers.get, _TELLING))
        known = self._facts.get(seen)
        if known is None:
            served, lab, origin, tries, moved = (value.decode("latin-1") if value else None for value in seen)
            count = int(tries) if tries and tries.isdecimal() else 1
            known = self._facts[seen] = Facts(served or lab, origin, count, moved)
        return known


_TELLING = (b"x-served-by", b"x-lab-server", b"x-session-origin", b"x-lab-tries", b"x-lab-moved-from")


def _telling(status: int, headers: Mapping[bytes, bytes]) -> dict[str, str]:
    """The fields by which ``outcome_of_answer`` judges a refusal, as it asks for them."""
    if status < HTTPStatus.BAD_REQUEST:
        return {}
    return {name: headers.get(name.lower().encode(), b"").decode("latin-1") for name in _OF_REFUSALS}


_OF_REFUSALS = ("X-Write", "Proxy-Status")


def silence(kind: Kind, invoked: float, completed: float | None, why: str, *, sent: bool) -> Said:
    """No answer; ``completed`` is None for a request that the run's end cut short."""
    outcome = Outcome.INFO if completed is None else outcome_of_silence(kind, may_have_been_sent=sent)
    return Said(invoked, completed, outcome, facts=Facts(error=why))


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None
