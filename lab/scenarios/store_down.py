"""The second act: the store dies. Stateless servers have no state, and nothing to answer with."""

from __future__ import annotations

from lab.scenario import Injection, Prediction, Scenario

STORE_DOWN = Scenario(
    name="store-down",
    title="The store dies, and comes back",
    question="The store is killed while people shop. What do they see, and what is left when it is back?",
    predictions=(
        Prediction("errors for a while, then every cart: its log is replayed"),
        Prediction("nothing: the servers are stateless", "stateless is taken for without state"),
        Prediction("empty carts", "unavailable is taken for lost"),
        Prediction("all carts are gone, as after any crash of a memory", "a log is overlooked"),
    ),
    faults=(Injection("store-kill", until=0.5),),
    tests=("survives_store_crash",),
    claims=("C29",),
    what_breaks="the store, by SIGKILL; it has a log (AOF) and is started again",
    what_you_see="stateless shoppers see errors and no empty cart, and lose nothing; sticky ones see nothing",
    what_you_learn="the state moved: now the store is what must not go away",
    lesson=(
        "A store that logs a write before it answers comes back with all of them. Until then honest servers "
        "say 503 and keep their hands off the cookie. Sticky servers did not notice: they never needed it."
    ),
    hint="Compare *unavailable* with *lost*: which of the two does each arm show?",
)
