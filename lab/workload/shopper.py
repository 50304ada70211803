"""One person: follows a script, one request at a time, and has each of them written down."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lab.history import Kind, Operation, Outcome
from lab.workload.client import NoAnswer, NotSent
from lab.workload.outcome import cart_in, outcome_of_answer, outcome_of_silence
from lab.workload.plan import Step

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.workload.client import Answer, Person
    from lab.workload.clock import PlanClock
    from lab.workload.plan import Script

CUT_SHORT = "the run was ended while this request was under way"


@dataclass(frozen=True, slots=True)
class Notebook:
    """Where the shoppers of an arm write down what they did, and the watch they look at."""

    arm: str
    now: Callable[[], float]
    record: Callable[[Operation], None]


class Shopper:
    def __init__(self, number: int, person: Person, notebook: Notebook) -> None:
        self.number = number
        self._person = person
        self._notebook = notebook

    async def follow(self, script: Script, clock: PlanClock) -> None:
        for step in script.steps:
            await clock.until(step.at)
            await self.act(step, intended=clock.run_time(step.at))

    async def look_for_the_judge(self) -> bool:
        """Read the cart once; whether an answer came."""
        operation = await self.act(Step(0, Kind.FINAL_READ), intended=self._notebook.now())
        return operation.outcome is Outcome.OK

    async def act(self, step: Step, *, intended: float) -> Operation:
        """Send one request, exactly once, and write down how it ended, even when cut short."""
        operation = Operation(
            arm=self._notebook.arm,
            shopper=self.number,
            kind=step.kind,
            intended=intended,
            invoked=self._notebook.now(),
            completed=None,
            outcome=Outcome.INFO,
            item=step.product.item if step.product else None,
            quantity=step.quantity,
            key=step.key,
            error=CUT_SHORT,
        )
        try:
            operation = await self._carry_out(step, operation)
        finally:
            self._notebook.record(operation)
        return operation

    async def _carry_out(self, step: Step, operation: Operation) -> Operation:
        try:
            answer = await self._ask(step)
        except (NotSent, NoAnswer) as error:
            return replace(
                operation,
                completed=self._notebook.now(),
                outcome=outcome_of_silence(step.kind, may_have_been_sent=isinstance(error, NoAnswer)),
                error=str(error),
            )
        return _as_answered(operation, answer, self._notebook.now())

    async def _ask(self, step: Step) -> Answer:
        if step.product is None:
            return await self._person.get("/cart")
        body = {"item": step.product.item, "price": step.product.price, "quantity": step.quantity}
        return await self._person.post("/cart/add", body, key=step.key)


def _as_answered(operation: Operation, answer: Answer, now: float) -> Operation:
    headers = answer.headers
    tries = _tries(headers.get("X-Lab-Tries"))
    outcome = outcome_of_answer(operation.kind, answer.status, headers, tries=tries)
    shown = answer.json if outcome is Outcome.OK else None
    cart = cart_in(shown)
    if outcome is Outcome.OK and cart is None:
        # A success that shows no cart promises nothing that anybody could check.
        outcome = outcome_of_silence(operation.kind, may_have_been_sent=True)
    return replace(
        operation,
        completed=now,
        outcome=outcome,
        status=answer.status,
        server=headers.get("X-Served-By") or headers.get("X-Lab-Server"),
        origin=headers.get("X-Session-Origin"),
        session=shown.get("sessionId") if isinstance(shown, dict) else None,
        cart=cart,
        tries=tries,
        moved_from=headers.get("X-Lab-Moved-From"),
        error=None if outcome is Outcome.OK else f"{answer.status}: {_first_words(answer.content)}",
    )


def _tries(header: str | None) -> int:
    """One, unless the balancer counts more. What nobody can read must not end a run."""
    return int(header) if header and header.isdecimal() else 1


def _first_words(content: bytes) -> str:
    return " ".join(content[:200].decode(errors="replace").split())
