"""The balancer put together: what every exchange shares, and what happens to it over time."""

from __future__ import annotations

import asyncio
from functools import partial
from secrets import token_hex
from time import monotonic
from typing import TYPE_CHECKING, Any

from lb.budget import Budget
from lb.counters import Counters
from lb.exchange import Exchange
from lb.limited import LimitedExchange, tick
from lb.log import refusal
from lb.names import Names
from lb.proxy import Client
from lb.queue import Queue, WithRoom
from lb.refusals import LOOP, BadMessage
from lb.slowstart import SlowStart
from lb.trust import FOR, Trust, scheme
from lb.upstream import Lane
from lb.variation import varied

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lb.events import Events
    from lb.health import Result
    from lb.log import RequestLog
    from lb.pool import Address, Change, Server
    from lb.response import ResponseHead
    from lb.route import Route, Routing
    from lb.settings import Settings

SWEEP_SECONDS = 0.1
#: At a stop, how long an idle client may still come with a request: to close at once would cut off
#: one that is on its way.
LAST_ORDERS_SECONDS = 0.2


class Balancer:
    def __init__(
        self, settings: Settings, routing: Routing, events: Events, log: RequestLog | None = None
    ) -> None:
        self.settings = settings
        self.log = log
        self.routing = routing
        self.vary = partial(varied, cookie_onward=routing.sticky.cookie_onward)
        self.events = events
        self.counters = Counters()
        self.clients: set[Client] = set()
        self.stopping = False
        self.listens_on = settings.listen
        #: Told of trouble with a server that live traffic has met; the checks put themselves here.
        self.on_trouble: Callable[[Server, Result | None], None] = lambda server, result: None  # noqa: ARG005
        self._all_gone = asyncio.Event()
        self.lanes: dict[Server, Lane] = {}
        self.names = Names()
        self.slow_start = SlowStart(settings.slowstart)
        self.trust = Trust(settings.trust)
        self._budget = Budget(settings.retry_budget)
        self.queue: Queue | None = None
        if settings.maxconn:
            self.queue = Queue(settings.maxconn, settings.maxqueue, routing.pool, self.counters)
            routing.balance = WithRoom(routing.balance, self.queue)
        self._limits = bool(settings.maxconn or settings.request_timeout)
        #: What a request becomes.
        self.exchange: type[Exchange] = LimitedExchange if self._limits else Exchange
        self._pseudonym = f"lb-{token_hex(4)}".encode("ascii")
        self._loop = asyncio.get_running_loop()
        self._sweeping = self._loop.call_later(SWEEP_SECONDS, self._sweep)

    # Servers

    def add_server(self, name: str, address: Address, cause: str, code: str, *, backup: bool) -> Server:
        server = self.routing.pool.add(name, address, backup=backup)
        server.code = code
        self.lanes[server] = Lane(
            server,
            self.names,
            connect_timeout=self.settings.connect_timeout,
            most_idle=self.settings.most_idle,
        )
        self._tell(name, None, server.shown, cause, code)
        return server

    def remove_server(self, server: Server, cause: str, code: str) -> None:
        self.tell(self.routing.pool.remove(server, cause, code))
        self.lanes.pop(server).close()

    def shut_sessions(self, server: Server) -> int:
        """End at once every request and tunnel that is on ``server``, and its idle connections; how many."""
        on_it = [c for c in self.clients if c.exchange is not None and c.exchange.server is server]
        for client in on_it:
            client.kill()
        self.lanes[server].close_idle(0)
        return len(on_it)

    def tell(self, change: Change | None) -> None:
        if change is None:
            return
        self.slow_start.on_change(change, monotonic())
        if change.words[0] != change.words[1]:
            self._tell(change.server.name, *change.words, change.cause, change.code)

    def _tell(self, server: str, before: str | None, after: str, cause: str, code: str) -> None:
        facts = {"from": before, "to": after, "cause": cause, "code": code}
        self.events.tell("server", server=server, **facts)

    def suspect(self, server: Server, result: Result | None) -> None:
        """Live traffic met trouble: ``result`` is as good as a failed check, None asks for one now."""
        self.on_trouble(server, result)

    # Exchanges

    def new_client(self) -> Client:
        return Client(self)

    def on_client(self, client: Client) -> None:
        self.clients.add(client)

    def on_client_left(self, client: Client) -> None:
        self.clients.discard(client)
        self._note_if_gone()

    def _note_if_gone(self) -> None:
        if self.stopping and not self.clients:
            self._all_gone.set()

    def forwarded_by(self, peer: str, claims: Mapping[bytes, bytes] | None = None) -> bytes:
        """The lines that tell a server whom it is really talking to; ``claims`` of a trusted ``peer``."""
        lines = b"Via: 1.1 %b\r\nX-Forwarded-For: %b\r\nX-Forwarded-Proto: %b\r\n"
        said = claims or {}
        hops = [hop for hop in (said.get(FOR, b""), peer.encode("ascii")) if hop]
        return lines % (self._pseudonym, b", ".join(hops), scheme(said))

    def refuse_loop(self, via: bytes) -> None:
        """A request that has been here before would come again for ever (RFC 9110 7.6.3, RFC 5842 7.2)."""
        if self._pseudonym in via:
            raise BadMessage(
                508, "the request came back to this balancer: a server's address leads to it", LOOP
            )

    def on_answer(self, route: Route, server: Server, head: ResponseHead, now: float) -> tuple[bytes, bytes]:
        """The answer of ``server`` goes to the client, with which field lines and which more."""
        sticky = self.routing.sticky
        kind = head.status // 100
        self.counters.hrsp[kind] += 1
        server.counters.hrsp[kind] += 1
        block, extra = head.block, b""
        if head.set_cookies or route.home is not server:
            left = sticky.settle(route, server, head.set_cookies, now)
            if left is not None:
                self._on_moved(route, left, server)
            if sticky.dresses:
                block, extra = sticky.dress(route, server, head)
        elif sticky.dresses_all:
            block, extra = sticky.dress(route, server, head)
        if self.settings.lab_headers:
            extra += route.told(server)
        return block, extra

    def _on_moved(self, route: Route, left: Server, server: Server) -> None:
        self.counters.moved[left.name, server.name, route.left_because] += 1
        facts: dict[str, Any] = {"from": left.name, "to": server.name, "cause": route.left_because}
        self.events.tell("moved", session=route.session, **facts)

    def on_own_answer(self, status: int) -> None:
        self.counters.hrsp[status // 100] += 1

    def on_refused(self, error: BadMessage, *, of_a_request: bool) -> None:
        status = error.status
        if self.log is not None and not of_a_request:
            self.log.add(refusal(status, error.detail))
        self.counters.refused += 1
        self.counters.hrsp[status // 100] += 1

    def may_retry(self) -> bool:
        """Whether the budget allows one more; to be asked only by who then makes it."""
        allowed = self._budget.spend(self.counters.requests, monotonic())
        self.counters.retries_denied += not allowed
        return allowed

    def on_retry(self, server: Server) -> None:
        server.counters.wretr += 1
        self.counters.retries += 1

    def on_redispatch(self, server: Server) -> None:
        server.counters.wredis += 1
        self.counters.redispatches += 1

    # Time

    def _sweep(self) -> None:
        now = monotonic()
        for client in [client for client in self.clients if client.deadline < now]:
            client.on_deadline()
        for lane in self.lanes.values():
            lane.close_idle(self.settings.server_idle_timeout)
        self.on_tick(now)
        if self.log is not None:
            self.log.flush()
        self._sweeping = self._loop.call_later(SWEEP_SECONDS, self._sweep)

    def on_tick(self, now: float) -> None:
        """What changes by time alone, several times a second."""
        self.routing.sticky.expire(now)
        self.slow_start.go_on(now)
        self._budget.observe(self.counters.requests, now)
        if self._limits:
            tick(tuple(self.clients), now)
        if self.queue is not None:
            self.queue.look_round()

    async def drain(self) -> bool:
        """Finish what is in flight; whether all of it ended before ``hard_stop_after``."""
        self.stopping = True
        self._note_if_gone()
        for client in tuple(self.clients):
            client.hurry(LAST_ORDERS_SECONDS)
        try:
            async with asyncio.timeout(self.settings.hard_stop_after):
                await self._all_gone.wait()
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        self._sweeping.cancel()
        for client in tuple(self.clients):
            client.kill()
        if self.log is not None:
            self.log.close()
        for lane in self.lanes.values():
            lane.close()
