"""One server is cut off the others: two sides, two carts, and one of four ways to make them one again."""

from __future__ import annotations

from lab.scenario import Injection, Prediction, Scenario

SPLIT = Scenario(
    name="split",
    title="Two sides, two truths",
    question="One of three servers with copies is cut off, and serves on. You take an item out. And then?",
    predictions=(
        Prediction("that depends on how two carts become one: writes are lost, or the item comes back"),
        Prediction("the item stays out: it was acknowledged", "an answer of one side is taken for both"),
        Prediction("the site is down until the split is over", "availability was chosen, not consistency"),
        Prediction("the newest cart wins and nothing is lost", "the last write is taken for all writes"),
    ),
    faults=(Injection("cut-from-servers", until=0.5),),
    tests=("never_stale",),
    otherwise="diverged",
    claims=("split-brain", "C40"),
    what_breaks="the network between one server and the others; shoppers reach them all",
    what_you_see="last write wins loses acknowledged items; with union, items that were taken out resurface",
    what_you_learn="copies that may be written on both sides need a rule, and every rule loses something",
    lesson=(
        "Whoever serves on during a split must make one cart of two afterwards. The last write wins and the "
        "other side's are lost; or nothing is lost and what was taken out comes back, as in Dynamo's cart."
    ),
    hint="Compare *lost* with *resurrected* for the four rules: which would you explain to a shopper?",
    arms=tuple(f"replicated:2-{merge}/none" for merge in ("lww", "union", "pn-counter", "or-map")),
    workload="changing",
)
