"""The main job: one server dies mid-traffic, and the two arms tell different stories."""

from __future__ import annotations

from lab.scenario import Injection, Prediction, Scenario

CRASH = Scenario(
    name="crash",
    title="A cart server dies mid-traffic",
    question="One of three servers is killed while people shop. Whose carts are still there afterwards?",
    predictions=(
        Prediction("those of the two servers that live; where carts are in a store, all"),
        Prediction("nobody's for a while: the site shows errors", "a server is taken for the site"),
        Prediction("everybody's: you are sent back to your cart", "routing is taken for storage"),
        Prediction("nobody's: it takes all carts along", "the blast radius is overlooked"),
    ),
    faults=(Injection("kill"),),
    tests=("survives_server_crash",),
    claims=(
        "C01",
        "C02",
        "C09",
        "C10",
        "C20",
        "C34",
        "C37",
        "C05",
        "C40",
        "others-untouched",
        "memory-stays-gone",
    ),
    what_breaks="one of three servers, by SIGKILL or `POST /crash`",
    what_you_see="about a third of the sticky carts vanish; no stateless cart does",
    what_you_learn="a session in a process's memory lives exactly as long as the process",
    lesson=(
        "Sticky routing keeps sending you to the machine that has your cart. It does not keep the cart. "
        "If losing the machine must not lose the session, the session must live outside the machine."
    ),
    hint=(
        "Compare the carts held by the dying server just before the crash with the carts lost at the end. "
        "Then look at who answered its shoppers afterwards, and with what."
    ),
)
