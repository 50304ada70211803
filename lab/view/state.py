"""What the screen knows, as a value: ``update(state, event)`` is a new one. Pure.

Every operation of every shopper passes here, so nothing is ever counted again: counts only grow.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from lab.timeline import (
    ActBegan,
    ArmReady,
    Costed,
    FaultBegan,
    FaultHealed,
    Interval,
    Judged,
    Noted,
    OperationEnded,
    RunBegan,
    RunEnded,
    Sampled,
    ServerChanged,
    Tallied,
)
from lab.view.arm import (
    ArmState,
    Happening,
    ServerState,
    first_counted,
    first_of_its_kind,
    with_happening,
)
from lab.view.flow import NO_FLOW, Counted, Flow, with_operation, with_tally
from lab.view.glyphs import UNICODE, Glyphs, clean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lab.timeline import Event


@dataclass(frozen=True, slots=True)
class State:
    """``now`` is the run's clock when the screen is drawn; ``prompt`` what a keypress is awaited for;
    ``notice`` the last word that concerns the whole run; ``past`` the arms of earlier rounds.
    """

    now: float = 0.0
    run: RunBegan | None = None
    acts: tuple[ActBegan, ...] = ()
    arms: tuple[ArmState, ...] = ()
    past: tuple[ArmState, ...] = ()
    flows: Mapping[str, Flow] = field(default_factory=dict)
    ended: RunEnded | None = None
    prompt: str = ""
    notice: str = ""
    glyphs: Glyphs = UNICODE

    @property
    def time(self) -> float:
        """Where the run stands: its clock, which its end stops."""
        return self.ended.at if self.ended else self.now

    @property
    def shoppers(self) -> int:
        return self.run.shoppers if self.run else 0

    def flow(self, arm: str) -> Flow:
        return self.flows.get(arm, NO_FLOW)

    def arm(self, name: str) -> ArmState:
        return next((arm for arm in self.arms if arm.name == name), ArmState(name))


def update(state: State, event: Event) -> State:
    if isinstance(event, OperationEnded):
        return _operation_ended(state, event)
    return _UPDATES[type(event)](state, event)


def _with_arm(state: State, arm: ArmState) -> State:
    """``state`` with this one in place of the arm of the same name; a new name stands last."""
    if any(known.name == arm.name for known in state.arms):
        return replace(state, arms=tuple(arm if known.name == arm.name else known for known in state.arms))
    return replace(state, arms=(*state.arms, arm))


def _with_server(arm: ArmState, name: str, **changes: Any) -> ArmState:
    if not any(server.name == name for server in arm.servers):
        arm = replace(arm, servers=(*arm.servers, ServerState(name)))
    servers = tuple(replace(s, **changes) if s.name == name else s for s in arm.servers)
    return replace(arm, servers=servers)


def _operation_ended(state: State, event: OperationEnded) -> State:
    before = state.flow(event.arm)
    after = with_operation(before, event.operation, event.at)
    state = replace(state, flows={**state.flows, event.arm: after})
    news = first_of_its_kind(before.traffic, after.traffic, event.operation, event.at)
    return _with_arm(state, with_happening(state.arm(event.arm), news)) if news else state


def _tallied(state: State, event: Tallied) -> State:
    before = state.flow(event.arm)
    after = with_tally(before, event)
    state = replace(state, flows={**state.flows, event.arm: after})
    assert isinstance(after.traffic, Counted)  # noqa: S101 - with_tally made it so
    news = first_counted(before.traffic, after.traffic, event.at)
    return _with_arm(state, with_happening(state.arm(event.arm), news)) if news else state


def _costed(state: State, event: Costed) -> State:
    return _with_arm(state, replace(state.arm(event.arm), costed=event))


def _run_began(state: State, event: RunBegan) -> State:
    past = (*state.past, *state.arms) if event.round > 1 else ()
    return replace(
        state, run=event, acts=(), arms=tuple(ArmState(name) for name in event.arms), past=past, notice=""
    )


def _act_began(state: State, event: ActBegan) -> State:
    return replace(state, acts=(*state.acts, event))


def _arm_ready(state: State, event: ArmReady) -> State:
    arm = state.arm(event.arm)
    known = {server.name: server for server in arm.servers}
    ready = replace(
        arm,
        strategy=event.strategy,
        sticky=event.sticky,
        balance=event.balance,
        address=event.address,
        store=event.store,
        servers=tuple(known.get(name, ServerState(name, "up")) for name in event.servers),
    )
    return _with_arm(state, ready)


def _server_changed(state: State, event: ServerChanged) -> State:
    arm = _with_server(state.arm(event.arm), event.server, state=event.state, cause=clean(event.cause))
    # Before the first shopper everybody comes up: the rows show it, it is no happening.
    is_news = state.flow(event.arm).traffic.requests > 0
    news = Happening(event.at, event.state, server_changed(event))
    return _with_arm(state, with_happening(arm, news) if is_news else arm)


def server_changed(event: ServerChanged) -> str:
    """The change in words."""
    word = event.state.upper() if event.state == "down" else event.state
    return f"{event.server} {word}" + (f": {clean(event.cause)}" if event.cause else "")


def _sampled(state: State, event: Sampled) -> State:
    arm = replace(state.arm(event.arm), balancer_cpu=event.balancer_cpu)
    for sample in event.servers:
        arm = _with_server(arm, sample.server, carts=sample.carts, cpu=sample.cpu)
    return _with_arm(state, arm)


def _fault_began(state: State, event: FaultBegan) -> State:
    arm = state.arm(event.arm)
    interval = Interval(event.arm, event.fault, event.target, event.at, None)
    text = f"{event.fault} {event.target}" + (f": {clean(event.detail)}" if event.detail else "")
    arm = replace(arm, faults=(*arm.faults, interval))
    return _with_arm(state, with_happening(arm, Happening(event.at, "fault", text)))


def _fault_healed(state: State, event: FaultHealed) -> State:
    arm = state.arm(event.arm)
    faults = tuple(
        replace(fault, end=event.at)
        if fault.end is None and (fault.fault, fault.target) == (event.fault, event.target)
        else fault
        for fault in arm.faults
    )
    text = f"{event.target} " + (clean(event.detail) or "healed")
    return _with_arm(state, with_happening(replace(arm, faults=faults), Happening(event.at, "heal", text)))


def _noted(state: State, event: Noted) -> State:
    if event.arm is None:
        return replace(state, notice=clean(event.text))
    note = Happening(event.at, "note", clean(event.text))
    return _with_arm(state, with_happening(state.arm(event.arm), note))


def _judged(state: State, event: Judged) -> State:
    return _with_arm(state, replace(state.arm(event.arm), judged=event))


def _run_ended(state: State, event: RunEnded) -> State:
    return replace(state, ended=event)


_UPDATES: dict[type, Callable[[State, Any], State]] = {
    RunBegan: _run_began,
    ActBegan: _act_began,
    ArmReady: _arm_ready,
    ServerChanged: _server_changed,
    Sampled: _sampled,
    Tallied: _tallied,
    Costed: _costed,
    FaultBegan: _fault_began,
    FaultHealed: _fault_healed,
    Noted: _noted,
    Judged: _judged,
    RunEnded: _run_ended,
}
