"""The people of one shopper process: who is next, who is waiting for an answer, what they heard."""

from __future__ import annotations

import asyncio
from collections import deque
from itertools import product
from typing import TYPE_CHECKING

from lab.history import Kind
from lab.packing import pack
from lab.workload.throng.lane import Lane
from lab.workload.throng.letters import Letters, Reading, silence, with_cookies
from lab.workload.throng.slots import Slots
from lab.workload.throng.tally import Counting
from lab.workload.throng.wishes import ADDS, BEFORE, FINAL_READ, Wishes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from lab.workload.throng.orders import Prepare
    from lab.workload.throng.slots import Said

CUT_SHORT = "the run was ended while this request was under way"
#: Seconds between two looks for requests without an answer, and before a final read is tried again.
_SWEEP_EVERY = 0.25
_TRY_AGAIN_AFTER = 0.2


class Throng:
    """Everybody walks the steps in the same order, ``orders.connections`` at a time."""

    def __init__(self, orders: Prepare, now: Callable[[], float]) -> None:
        products = orders.catalogue
        wishes = Wishes(orders.seed, products, orders.keyless)
        self.counting = Counting(orders.count)
        self._orders = orders
        self._now = now
        self._wishes = wishes
        self._letters = Letters(f"{orders.host}:{orders.port}", products)
        self._reading = Reading()
        self._slots = Slots(orders.arm, wishes, orders.first, orders.count)
        self._cookies = [b""] * orders.count
        self._busy = bytearray(orders.count)
        self._idle = [Lane(self, now) for _ in range(orders.connections)]
        self._asking: set[Lane] = set()
        self._line: Iterator[tuple[int, int]] = iter(())
        self._head: tuple[int, int] | None = None
        self._again: deque[int] = deque()
        self._left = 0
        self._over = asyncio.Event()
        self._shown_at = 0.0

    async def fill(self) -> None:
        """All adds before the fault; returns when the last one has ended."""
        await self._walk(range(BEFORE))

    async def come_back(self) -> None:
        await self._walk(range(BEFORE, ADDS))

    async def read_back(self, within: float) -> None:
        """Every cart, again and again until it is shown, or until none was for ``within`` seconds."""
        self._shown_at = self._now()
        await self._walk((FINAL_READ,), give_up_after=within)

    def cut_short(self) -> None:
        """End at once: what is under way is written down as that."""
        self._line, self._head = iter(()), None
        self._again.clear()
        for lane in list(self._asking):
            shopper, step = lane.errand
            self._write_down(shopper, step, silence(_kind(step), lane.asked_at, None, CUT_SHORT, sent=True))
            lane.is_waiting = False
            lane.give_up(CUT_SHORT)
        self._asking.clear()

    def write(self, path: Path) -> None:
        """The history of everybody, one line a cart."""
        first = self._orders.first
        with path.open("w", encoding="utf-8") as file:
            for shopper in range(first, first + self._orders.count):
                if operations := self._slots.operations(shopper):
                    file.write(f"{pack(operations)}\n")

    async def _walk(self, steps: Iterable[int], give_up_after: float | None = None) -> None:
        everybody = range(self._orders.first, self._orders.first + self._orders.count)
        listed = list(steps)
        self._left = len(listed) * len(everybody)
        self._line = ((shopper, step) for step, shopper in product(listed, everybody))
        self._over.clear()
        self._go_on()
        while not self._over.is_set():
            self._sweep(give_up_after)
            try:
                async with asyncio.timeout(_SWEEP_EVERY):
                    await self._over.wait()
            except TimeoutError:
                continue

    def _sweep(self, give_up_after: float | None) -> None:
        now = self._now()
        for lane in list(self._asking):
            if now - lane.asked_at > self._orders.timeout:
                lane.give_up(f"no answer within {self._orders.timeout:g} s")
        if give_up_after is not None and now - self._shown_at > give_up_after:
            self.cut_short()
            self._over.set()

    def _go_on(self) -> None:
        while self._idle and (errand := self._next()) is not None:
            lane = self._idle.pop()
            self._send(Lane(self, self._now) if lane.is_closed else lane, *errand)

    def _next(self) -> tuple[int, int] | None:
        """Who is at the head of the line; nobody, while that one still waits for an answer."""
        if self._head is None:
            self._head = next(self._line, None) or self._who_tries_again()
        if self._head is None or self._busy[self._head[0] - self._orders.first]:
            return None
        errand, self._head = self._head, None
        return errand

    def _who_tries_again(self) -> tuple[int, int] | None:
        return (self._again.popleft(), FINAL_READ) if self._again else None

    def _send(self, lane: Lane, shopper: int, step: int) -> None:
        place = shopper - self._orders.first
        cookie = self._cookies[place]
        self._busy[place] = 1
        self._asking.add(lane)
        lane.errand = (shopper, step)
        if step == FINAL_READ:
            letter = self._letters.look(cookie)
        else:
            letter = self._letters.add(self._wishes.of(shopper, step), cookie)
        lane.ask(letter, self._orders.host, self._orders.port)

    # What a lane says.

    def answered(self, lane: Lane) -> None:
        shopper, step = lane.errand
        if lane.cookies:
            place = shopper - self._orders.first
            self._cookies[place] = with_cookies(self._cookies[place], lane.cookies)
        answer = (lane.status, lane.headers, lane.body)
        self._heard(lane, self._reading.said(_kind(step), lane.asked_at, self._now(), answer))

    def unanswered(self, lane: Lane, why: str, *, sent: bool) -> None:
        self._heard(lane, silence(_kind(lane.errand[1]), lane.asked_at, self._now(), why, sent=sent))

    def _heard(self, lane: Lane, said: Said) -> None:
        shopper, step = lane.errand
        self._asking.discard(lane)
        self._idle.append(lane)
        self._write_down(shopper, step, said)
        if step == FINAL_READ and said.outcome != "ok":
            asyncio.get_running_loop().call_later(_TRY_AGAIN_AFTER, self._try_again, shopper)
        else:
            self._shown_at = self._now()
            self._left -= 1
            if not self._left:
                self._over.set()
        self._go_on()

    def _try_again(self, shopper: int) -> None:
        if not self._over.is_set():
            self._again.append(shopper)
            self._go_on()

    def _write_down(self, shopper: int, step: int, said: Said) -> None:
        place = shopper - self._orders.first
        self._busy[place] = 0
        self._slots.put(shopper, step, said)
        self.counting.count(place, _kind(step), said)


def _kind(step: int) -> Kind:
    return Kind.FINAL_READ if step == FINAL_READ else Kind.ADD
