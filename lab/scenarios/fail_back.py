"""A server goes, its shoppers go elsewhere, it comes back: who is sent home, and what is there?"""

from __future__ import annotations

from lab.scenario import Injection, Prediction, Scenario

FAIL_BACK = Scenario(
    name="fail-back",
    title="There and back again",
    question="Your server dies, you shop on at another one, yours comes back. Whose cart do you see then?",
    predictions=(
        Prediction("with one copy in memory neither: lost when the server died, and again on going back"),
        Prediction("the one from before: the server is back", "a green light is taken for recovery"),
        Prediction("the newest: the balancer knows", "routing is taken for replication"),
        Prediction("both, merged", "a merge is taken for granted that nobody wrote"),
    ),
    faults=(Injection("kill", until=0.5),),
    tests=("survives_server_crash",),
    claims=("home-again", "C34"),
    what_breaks="one server, killed, and back while people still shop",
    what_you_see="with `open` failover memory loses the cart twice: on leaving, and on coming home",
    what_you_learn="going home is safe only where home can tell that its cart is old",
    lesson=(
        "Failing back moves a shopper to a server that was not there when the cart changed. Either the "
        "state is elsewhere, or somebody must notice that this copy is older than what was acknowledged."
    ),
    hint="Compare `--arms memory/cookie/open` with `memory/cookie`: when does each shopper's cart shrink?",
    arms=("memory/cookie/open", "stateless"),
)
