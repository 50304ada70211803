"""``--arms``: names and specs such as ``memory/cookie/strict``, read into arms or refused. Pure.

    STRATEGY[:OPTION][/TIE[/FAILOVER]]

What is left out is what makes sense for the strategy. An arm is called what was written, without
the parts that say nothing new.
"""

from __future__ import annotations

from dataclasses import replace

from lab.errors import UsageProblem, unknown
from lab.strategies import STRATEGIES
from lab.topology import ARMS, FAILOVERS, TIES, Arm

GRAMMAR = "STRATEGY[:OPTION][/TIE[/FAILOVER]]"
#: More are more than anybody compares, and a quarter of an hour of runs.
MOST = 12
_PARTS = 3


def read_arms(text: str, servers: int = 3) -> tuple[Arm, ...]:
    """``sticky,replicated:1/cookie`` as arms, no two the same site."""
    arms = [_read(part.strip(), servers) for part in text.split(",") if part.strip()]
    if not arms:
        raise UsageProblem(f"--arms {text!r} was given; arms were expected: {', '.join(ARMS)}, or {GRAMMAR}.")
    if len(arms) > MOST:
        raise UsageProblem(f"--arms names {len(arms)} arms; {MOST} at most were expected.")
    for place, arm in enumerate(arms):
        twin = next((other for other in arms[:place] if replace(other, name=arm.name) == arm), None)
        if twin:
            raise UsageProblem(
                f"--arms {text!r} was given; different arms were expected, and {twin.name} and {arm.name} "
                "are the same site."
            )
    return tuple(arms)


def _read(text: str, servers: int) -> Arm:
    if text in ARMS:
        return ARMS[text](servers)
    strategy, tie, failover = _split(text)
    strategy, colon, option = strategy.partition(":")
    if strategy not in STRATEGIES:
        if strategy in ARMS:
            known = ARMS[strategy](servers)
            raise UsageProblem(
                f"--arms {text!r} was given; {strategy} is the name of one whole arm, "
                f"{known.strategy}/{known.sticky}. Expected it alone, or a strategy: {', '.join(STRATEGIES)}."
            )
        raise unknown("arm or strategy", strategy, dict.fromkeys((*ARMS, *STRATEGIES)))
    if colon:
        _check_option(text, strategy, option)
    usual = STRATEGIES[strategy].tie
    arm = Arm(
        name=_name(f"{strategy}{colon}{option}", tie if tie != usual or failover else "", failover),
        strategy=strategy,
        sticky=tie or usual,
        servers=servers,
        option=option,
        failover=failover or FAILOVERS[0],
    )
    _check_tie(text, arm, failover)
    return arm


def _split(text: str) -> tuple[str, str, str]:
    parts = text.split("/")
    if len(parts) > _PARTS or not all(parts):
        raise UsageProblem(
            f"--arms {text!r} was given; {GRAMMAR} was expected, as in memory/cookie/strict or replicated:1."
        )
    strategy, tie, failover = (*parts, "", "")[:_PARTS]
    return strategy, tie, failover


def _name(strategy: str, tie: str, failover: str) -> str:
    return "/".join(part for part in (strategy, tie, failover) if part)


def _check_option(text: str, strategy: str, option: str) -> None:
    options = STRATEGIES[strategy].options
    if not options:
        raise UsageProblem(f"--arms {text!r} was given; {strategy} has no options: leave out ':{option}'.")
    if option not in options:
        raise unknown(f"option of {strategy}", option, options)


def _check_tie(text: str, arm: Arm, failover: str) -> None:
    if arm.sticky not in TIES:
        raise unknown("tie", arm.sticky, TIES)
    if arm.failover not in FAILOVERS:
        raise unknown("failover", arm.failover, FAILOVERS)
    if arm.sticky == "none" and failover:
        raise UsageProblem(
            f"--arms {text!r} was given; with the tie 'none' nobody is tied to a server, so there is "
            f"no tie that could fail over: leave out '/{failover}'."
        )
