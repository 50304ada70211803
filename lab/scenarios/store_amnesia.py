"""The same store, without a log: it comes back at once, well and empty."""

from __future__ import annotations

from lab.scenario import Injection, Prediction, Scenario

STORE_AMNESIA = Scenario(
    name="store-amnesia",
    title="The store comes back and remembers nothing",
    question="The store keeps no log (AOF off). It is killed and started again: what is in the carts?",
    predictions=(
        Prediction("only what was put in after that: every cart of before is gone"),
        Prediction("everything: it was acknowledged", "an answer is taken for durability"),
        Prediction("everything but the last second", "kill -9 is taken for a power cut"),
    ),
    faults=(Injection("store-kill", until=0.5),),
    tests=("survives_store_loss",),
    claims=("C29",),
    what_breaks="the store, by SIGKILL; it keeps no log and comes back empty",
    what_you_see="every stateless cart loses what was in it; the sticky carts are all there",
    what_you_learn="a store without a log is one big server memory, and it takes all carts along",
    lesson=(
        "Moving carts out of the servers only moved the question: now one process holds them all. "
        "What must survive the store has to be written down, or copied, before the shopper is told done."
    ),
    hint="Look for errors: how many shoppers got one, and how many were told that all is well?",
    store_log=False,
)
