"""A server freezes and wakes up: it never died, so it has every cart, and some of them are old."""

from __future__ import annotations

from lab.scenario import Injection, Prediction, Scenario

GRAY_FAILURE = Scenario(
    name="gray-failure",
    title="A frozen server wakes up",
    question="Your server freezes, you shop on at another one, yours wakes up. Whose cart do you see then?",
    predictions=(
        Prediction("with carts in memory the old one: the woken server never knew that you had left"),
        Prediction("the newest: the woken server was only slow", "a pause is taken for a delay"),
        Prediction("none: whoever was away has lost its memory", "a pause is taken for a crash"),
        Prediction("none of both: the balancer never sends anybody back", "a tie is taken for a memory"),
    ),
    faults=(Injection("pause", until=0.6, moved=3),),
    tests=("survives_server_crash",),
    claims=("home-again",),
    what_breaks="one server, frozen, and awake again while people still shop",
    what_you_see="with `open` failover shoppers come home to old carts in memory; `write_through` notices",
    what_you_learn="who was away cannot know it: old state needs a fence, not a health check",
    lesson=(
        "A frozen process has no gap in its life: it goes on at the next instruction, sure of all it knows. "
        "What it holds must be checked against who was in charge meanwhile (an epoch), or be held elsewhere."
    ),
    hint="Look at the server that woke up: how many carts does it hold, and how many are still right?",
    lasts=12.0,  # checks take two seconds to call a frozen server down, and whoever came before that waits
    arms=("memory/cookie/open", "write_through/cookie/open"),
)
