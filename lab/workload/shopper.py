"""One person: follows a script, one request at a time, and has each of them written down."""

from __future__ import annotations

import asyncio
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

#: Seconds until somebody who saw an error clicks again.
PAUSE_BEFORE_AGAIN = 0.2
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
            await self._insist(step, clock.run_time(step.at))

    async def look_for_the_judge(self) -> bool:
        """Read the cart once; whether an answer came."""
        operation = await self.act(Step(0, Kind.FINAL_READ), intended=self._notebook.now())
        return operation.outcome is Outcome.OK

    async def act(self, step: Step, *, intended: float, wish: str | None = None) -> Operation:
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
            wish=wish,
        )
        try:
            operation = await self._carry_out(step, operation)
        finally:
            self._notebook.record(operation)
        return operation

    async def _insist(self, step: Step, intended: float) -> None:
        """Ask, and as often as ``step.again`` allows once more while nobody can say whether it happened."""
        wish = f"{self.number} {step.at}" if step.again else None
        for _ in range(step.again + 1):
            operation = await self.act(step, intended=intended, wish=wish)
            if operation.outcome is not Outcome.INFO:
                break
            await asyncio.sleep(PAUSE_BEFORE_AGAIN)
            intended = self._notebook.now()

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
        if step.kind is Kind.CHECKOUT:
            return await self._person.post("/checkout", None, key=step.key)
        if step.product is None:
            return await self._person.get("/cart")
        path = f"/cart/items/{step.product.sku}"
        if step.kind is Kind.REMOVE:
            return await self._person.delete(path, key=step.key)
        if step.kind is Kind.PUT:
            return await self._person.put(path, {"quantity": step.quantity}, key=step.key)
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
