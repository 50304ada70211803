"""The change is made and its answer is lost: what does clicking again do?"""

from __future__ import annotations

from lab.scenario import Injection, Prediction, Scenario

LOST_REPLY = Scenario(
    name="lost-reply",
    title="The answer gets lost, the laptop does not",
    question="The server puts a laptop into the cart, and its answer never comes. You click again. How many?",
    predictions=(
        Prediction("one where both clicks carry the same key, two where they carry none"),
        Prediction("one: the first click failed", "no answer is taken for nothing done"),
        Prediction("one: a site sees that it is the same click", "two requests are taken for one by magic"),
        Prediction("two: whoever clicks twice buys twice", "a key is taken for an ornament"),
    ),
    faults=(Injection("reply-lost", until=0.5),),
    # The balancer asks another server with the key: that one finds the cart where it would after a crash.
    tests=("keyed_retry_once", "survives_server_crash"),
    claims=("retry-once",),
    what_breaks="the answers of one server: it makes the change and hangs up",
    what_you_see="one laptop with a key, two without; a sticky cart is lost if the balancer asks elsewhere",
    what_you_learn="no answer means nobody knows; only a key makes asking again safe",
    lesson=(
        "A request without an answer may have been carried out. Asking again is right, and without an "
        "Idempotency-Key it is a second order. With one, the server answers what it answered the first time."
    ),
    hint="Compare the carts of those who send keys with the others': who has two of what they wanted once?",
    workload="retrying",
)
