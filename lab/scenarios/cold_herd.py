"""A whole server's shoppers come to servers that do not know them: what do their first requests cost?"""

from __future__ import annotations

from lab.scenario import Injection, Prediction, Scenario

COLD_HERD = Scenario(
    name="cold-herd",
    title="A herd comes to cold caches",
    question="A server dies, and its shoppers come to others that must rebuild what they see. Who waits?",
    predictions=(
        Prediction("the newcomers, once: each session is rebuilt once, and only a few at the same time"),
        Prediction("nobody: the cart is in the store", "the cart is taken for the whole session"),
        Prediction("everybody, for minutes", "a rebuild is taken for a restart"),
        Prediction("newcomers, at every request", "a cache is taken for a store"),
    ),
    faults=(Injection("kill"),),
    tests=("survives_server_crash",),
    claims=("C17", "C02", "C34"),
    what_breaks="one of three servers, by SIGKILL; in one arm a rebuild takes 20 ms more",
    what_you_see="first requests of the dead server's shoppers take tens of milliseconds, later ones do not",
    what_you_learn="a hybrid loses no cart and pays at the rebind; a cap keeps the herd from trampling",
    lesson=(
        "What only makes shopping pleasant may die with its server: it is rebuilt once for each session, on "
        "first sight. The cap bounds what the rebuilding takes from everybody else; the herd queues for it."
    ),
    hint="Compare each shopper's first answer after the crash (`rebuilt`) with those that they get later.",
    arms=("hybrid", "hybrid:slow-rebuild"),
)
