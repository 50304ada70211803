"""How far a counted run is, and how long it still takes. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.view.state import State

#: Below it a guess is worth nothing.
_LEAST_SHARE = 0.02


def share(state: State) -> float | None:
    """Of the planned requests of this round, how many have ended; None where nobody counts ahead."""
    tallies = [tally for arm in state.arms if (tally := state.flow(arm.name).tallied)]
    planned = sum(tally.planned for tally in tallies)
    return min(sum(tally.requests for tally in tallies) / planned, 1.0) if planned else None


def words(state: State) -> str:
    """``63 %, 21 s left``: at the pace so far, of these arms; nothing where nobody counts ahead."""
    done = share(state)
    if done is None or any(arm.judged for arm in state.arms):
        return ""
    began = next((act.at for act in state.acts if act.act == "shop"), None)
    if began is None or done < _LEAST_SHARE:
        return f"{100 * done:.0f} %"
    left = (state.time - began) * (1 - done) / done
    return f"{100 * done:.0f} %, {left:.0f} s left"
