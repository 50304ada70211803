"""Everything this server refuses or cannot do, with the HTTP answer each becomes.

::

    CartError
    ├── Refusal             the request is at fault; nothing was written
    │   ├── BadBody 400/413/422   NotForSale 404   WrongPrice 422   BadKey 400   BadCookie 400
    │   ├── BadCart 400   CartRolledBack 409   CartTooLarge 413   of a cart that the shopper carries
    │   ├── SessionGone 410     a change that speaks of a cart which is not there any more
    │   ├── LineIsFull 409   NothingToBuy 409   RevisionMoved 412   KeyReused 422
    │   └── Guarded 403
    ├── StoreCut 503        the store cannot be asked; ``attempted`` says whether it may have acted
    └── NoSuchSession       never leaves the server: a strategy says so, the shop decides
"""

from __future__ import annotations


class CartError(Exception):
    """``status`` and ``code`` go on the wire; the text is for the person who reads it."""

    status = 500
    code = "internal_error"


class Refusal(CartError):
    status = 400
    code = "bad_request"


class BadBody(Refusal):
    def __init__(self, code: str, message: str, *, status: int = 422) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class NotForSale(Refusal):
    status = 404
    code = "unknown_item"


class WrongPrice(Refusal):
    status = 422
    code = "wrong_price"


class BadKey(Refusal):
    code = "bad_idempotency_key"


class BadCookie(Refusal):
    code = "bad_session_cookie"


class BadCart(Refusal):
    """A carried cart that cannot be opened. ``clears``: it never will be, so the answer clears it."""

    code = "bad_cart_cookie"

    def __init__(self, message: str, *, clears: bool = True) -> None:
        super().__init__(f"{message} This answer clears it: the next add starts anew." if clears else message)
        self.clears = clears


class CartRolledBack(Refusal):
    status = 409
    code = "cart_rolled_back"

    def __init__(self, *, carried: int, newest: int) -> None:
        super().__init__(
            f"The cart in the cookie is of revision {carried}, but {newest} was given out already. Send the "
            "newest cookie; if its answer was lost, send that change again with its Idempotency-Key."
        )


class CartTooLarge(Refusal):
    status = 413
    code = "cart_too_large"

    def __init__(self, *, size: int, most: int) -> None:
        super().__init__(
            f"With this change the cart takes {size} characters of cookie, and {most} are allowed here: a "
            "browser would drop it without a word. Nothing was changed; take something out first."
        )


class LineIsFull(Refusal):
    status = 409
    code = "line_full"

    def __init__(self, *, sku: str, held: int, most: int) -> None:
        super().__init__(
            f"The cart holds {held} of {sku!r} and a line holds at most {most}; "
            "add fewer, or set the line with PUT /cart/items/{sku}."
        )


class SessionGone(Refusal):
    status = 410
    code = "session_gone"

    def __init__(self) -> None:
        super().__init__(
            "The cart that this request speaks of is gone: expired, or lost with a server. Nothing was "
            "changed. GET /cart shows what there is; POST /cart/add starts a new one."
        )


class NothingToBuy(Refusal):
    status = 409
    code = "empty_cart"

    def __init__(self) -> None:
        super().__init__("The cart is empty, so there is nothing to buy; POST /cart/add first.")


class RevisionMoved(Refusal):
    status = 412
    code = "revision_moved"

    def __init__(self, *, expected: int, found: int) -> None:
        super().__init__(
            f'If-Match expected revision "{expected}" but the cart is at "{found}": somebody changed it '
            "meanwhile. GET /cart, look again, and send the new ETag."
        )
        self.found = found


class KeyReused(Refusal):
    status = 422
    code = "idempotency_key_reused"

    def __init__(self) -> None:
        super().__init__(
            "This Idempotency-Key already did something else in this cart. A key names one change "
            "for ever: send the same request again, or make a new key."
        )


class Guarded(Refusal):
    status = 403
    code = "chaos_disabled"


class StoreCut(CartError):
    """The store is down, frozen, full or refusing.

    ``attempted`` is False only where surely nothing was written; otherwise nobody knows.
    """

    status = 503
    code = "store_unavailable"

    def __init__(self, message: str, *, attempted: bool) -> None:
        super().__init__(message)
        self.attempted = attempted


class NoSuchSession(CartError):
    """No cart is kept under this id: never made here, expired, or lost with a server."""

    code = "no_such_session"
