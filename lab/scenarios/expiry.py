"""Carts that nobody touches go, carts in use stay: the TTL on a compressed clock."""

from __future__ import annotations

from lab.scenario import Prediction, Scenario

EXPIRY = Scenario(
    name="expiry",
    title="Half of the shoppers go home",
    question="A session lives two seconds without a touch. After six, whose carts are there?",
    predictions=(
        Prediction("those of the people who kept coming, with everything in them"),
        Prediction("nobody's: two seconds are over", "a sliding time is taken for a fixed one"),
        Prediction("everybody's: nothing deletes a cart", "memory is taken for endless"),
    ),
    faults=(),
    tests=(),
    expects="expired",
    claims=("C07",),
    what_breaks="nothing: every second shopper just goes away",
    what_you_see="idle carts are gone after their time, busy ones live; no key in the store lasts for ever",
    what_you_learn="a time to live is the garbage collector of sessions, and a touch renews it",
    lesson=(
        "Nobody logs out. Without a time to live every cart ever begun stays for ever; with one that slides, "
        "those in use never notice it. The price: an expired cart looks just like a lost one."
    ),
    hint="The clock is compressed: two seconds stand for the half hour that shops use, 900 to 1.",
    workload="idling",
    shoppers=60,
    session_ttl=2.0,
)
