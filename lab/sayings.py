"""What people say about sticky sessions: the ledger of claims, in the lab's own words. Pure.

A claim is shown when a command puts a figure of a real run beside it. The others say so themselves:
nothing here is taken for true because it is written down.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.arms import read_arms
from lab.claims import CLAIMS
from lab.scenarios import SCENARIOS
from lab.strategies import STRATEGIES

if TYPE_CHECKING:
    from collections.abc import Mapping

SAYINGS: Mapping[str, str] = {
    "C01": "when a sticky server crashes, every cart on it is gone",
    "C02": "with sessions in a store any server can answer, and the same crash loses none",
    "C03": "a rolling deployment of sticky servers has to drain, or users lose their sessions at each step",
    "C04": "long sessions heat some servers up while others idle",
    "C05": "copying sessions between servers: one side says don't, the other says better failover",
    "C06": "connections to the store should be pooled and used again",
    "C07": "a time to live collects the carts that nobody touches and spares those in use",
    "C08": "a replicated store stays available; clients should back off, with a cap",
    "C09": "success is a server that dies, restarts or is replaced with no cart lost and no error seen",
    "C10": "crash a server by an endpoint and check with an ordinary client",
    "C11": "three pictures tell it all: a request's path, the process, and the state over time",
    "C12": "blue-green with affinity has a tail that takes two to three lifetimes to decay",
    "C13": "two versions with different session formats show up as errors",
    "C14": "long connections make a rolling restart drag on; a maximum age and a cap on reconnects help",
    "C15": "failover takes three failed checks, and what was on the server is gone unless it was copied",
    "C16": "in a hybrid, critical writes reach the store within one or two milliseconds",
    "C17": "in a hybrid, a new owner costs the first requests ten to fifty milliseconds",
    "C18": "sticky load is uneven: some servers are full, others idle",
    "C19": "canary and blue-green get stuck: some users stay on the old server",
    "C20": "a server's death hits everyone pinned to it at the same moment",
    "C21": "who is on which server? Finding out takes time in an incident",
    "C22": "three questions decide: can state move out, are connections long, is loss affordable",
    "C23": "consistent hashing is predictable, and a change in servers moves only a share",
    "C24": "reads that any server can answer make the blast radius smaller",
    "C25": "drain: take nothing new, finish what is there; health means able to take traffic",
    "C26": "limit how many servers restart at once",
    "C27": "watch disconnects, session errors and uneven load",
    "C28": "write down when to roll back, before the deployment",
    "C29": "the session store becomes the critical part",
    "C30": "sticky can be right: small, legacy, well drained, and able to bear a loss",
    "C31": "hashing addresses is uneven behind NAT; cookies are more reliable",
    "C32": "the balancer keeps a table of clients and servers",
    "C33": "local is fast and fragile, copies fail over better, an outside store is best and a little slower",
    "C34": "after a crash: an empty session, a copy, or the store",
    "C35": "recovery is the check interval, plus the balancer's reaction, plus a look-up in the store",
    "C36": "one table of trade-offs: state, balance, failover, scale, complexity",
    "C37": "failover is automatic when a server dies",
    "C38": "ten million users on a hundred servers",
    "C39": "from sticky to stateless without downtime",
    "C40": "a session is copied in less than a tenth of a second",
}
#: Claims that no scenario measures, and the command that shows them all the same.
_ELSEWHERE = {
    "C11": "run crash",
    "C21": "where SESSION",
    "C33": "compare --fast",
    "C36": "compare --fast",
}


def said(claim: str) -> str:
    return SAYINGS.get(claim) or CLAIMS[claim].said


def everything() -> tuple[str, ...]:
    """The ledger's claims, then the lab's own."""
    return (*SAYINGS, *(name for name in CLAIMS if name not in SAYINGS))


def shown_by(claim: str) -> str | None:
    """The words after ``cartlab`` that put a figure beside it; None for one that is not shown yet."""
    if claim == "C10":
        return "run crash --fault endpoint"
    shown = [each for each in SCENARIOS.values() if claim in each.claims]
    if not shown:
        return _ELSEWHERE.get(claim)
    about = CLAIMS[claim].strategies
    for scenario in shown:
        if any(arm.strategy in about for arm in read_arms(",".join(scenario.arms))):
            return f"run {scenario.name}"
    # Its own arms are others than those that the claim speaks about.
    return f"run {shown[0].name} --arms {next(name for name in STRATEGIES if name in about)}"
