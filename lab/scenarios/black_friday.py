"""The crash at full size: fifty thousand carts, one server dies, and everybody comes back."""

from __future__ import annotations

from lab.scenario import Injection, Prediction, Scenario
from lab.workload.shapes import THRONG

BLACK_FRIDAY = Scenario(
    name="black-friday",
    title="Black Friday: a server dies under full load",
    question="Fifty thousand people fill their carts, server-3 dies, everybody comes back. Who starts again?",
    predictions=(
        Prediction("one in three where carts are in a server's memory, nobody where they are in a store"),
        Prediction("hardly anybody: so large a site balances it out", "size is taken for redundancy"),
        Prediction("everybody: the two others cannot bear the load", "lost capacity is taken for lost carts"),
        Prediction(
            "nobody: the load balancer sends them back to their carts", "routing is taken for storage"
        ),
    ),
    faults=(Injection("kill"),),
    tests=("survives_server_crash",),
    claims=("C01", "C02", "C09", "C20", "C34", "others-untouched", "memory-stays-gone"),
    what_breaks="server-3, while 50,000 people shop as fast as the site serves them",
    what_you_see="a third of 50,000 sticky carts gone, no stateless one; and what each arm cost, by program",
    what_you_learn="losses grow with the crowd, not with the crashes; a store costs CPU and keeps carts",
    lesson=(
        "One crash takes every cart that the process held, so the damage grows with the crowd. The store's "
        "arm pays for its safety with CPU on every request, and loses nothing."
    ),
    hint=(
        "Look at the table of costs: which program does a request keep busy, and what does the store add? "
        "Then compare the carts lost with those that server-3 held."
    ),
    workload=THRONG,
    shoppers=50_000,
    crash="server-3",
    at_once=1,
    patience=5.0,
)
