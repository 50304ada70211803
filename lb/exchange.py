"""One request of a client across all its tries, until an answer has passed or nobody is left to ask.

    route -> connect -> send -> head of the answer -> body -> over
      ^__________________|  failed: retry.decide says whether another server may get it

The way to the server is ``delivery``; here is the way back.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from lb import retry, shortage, trouble
from lb.answer import Answer
from lb.delivery import Delivery
from lb.refusals import REQUEST_ERROR, BadMessage, Unanswered
from lb.replay import Replay
from lb.retry import Decision, Phase

if TYPE_CHECKING:
    from lb.pool import Server
    from lb.response import ResponseHead

# Naming an enum's member costs a lookup each time; these are named for every request.
_CONNECTING, _SENT, _ANSWERED = Phase.CONNECTING, Phase.SENT, Phase.ANSWERED


class Exchange(Delivery):
    """A delivery, and what comes of it."""

    __slots__ = ()

    # The answer

    def on_interim(self, head: ResponseHead) -> None:
        """100, 102, 103: passed on, except to HTTP/1.0, which does not know them."""
        self._phase = _ANSWERED
        if not self.head.fields.is_http10:
            self.client.write(head.start + head.block + b"\r\n")

    def on_whole_answer(self, head: ResponseHead, payload: bytes) -> None:
        """The usual: head and body came at once, so nothing has to be remembered between them."""
        fields = self.head.fields
        if fields.is_http10 or not (self._request_done and self.client.may_stay(fields)):
            self.on_answer(head, payload, done=True)
            return
        block, extra = self._dress(head)
        self.client.transport.write(b"%b%b%b\r\n%b" % (head.start, block, extra, payload))
        self._finish()

    def on_answer(self, head: ResponseHead, payload: bytes, *, done: bool) -> None:
        """The head of a small answer is kept back until its body begins: a server that dies between
        the two has told the client nothing yet, so another one may still be asked.
        """
        self.answer = Answer(self.client, self.head, head)
        is_small = 0 < head.length <= self._balancer.settings.replay_limit
        if payload or not is_small or self._phase is _ANSWERED:  # of which an interim answer is a part
            self._begin_answer(self.answer, payload, done=done)

    def on_switch(self, head: ResponseHead, payload: bytes) -> None:
        """101: from here on bytes pass both ways as they come, and neither connection is used again."""
        self._request_done = False
        self._replay = Replay(b"", limit=0)  # of a tunnel nothing is ever sent again
        self._patience = self._balancer.settings.tunnel_timeout
        self.answer = Answer(self.client, self.head, head)
        self._begin_answer(self.answer, payload, done=False)
        self.client.open_tunnel(self)

    def on_body(self, payload: bytes, *, done: bool) -> None:
        answer = self.answer
        if answer is None:
            raise RuntimeError("a body came without a head")
        if self._phase is not _ANSWERED:
            self._begin_answer(answer, payload, done=done)
            return
        answer.go_on(payload, done=done)
        self._after(done=done)

    def _begin_answer(self, answer: Answer, payload: bytes, *, done: bool) -> None:
        self._phase = _ANSWERED
        block, extra = self._dress(answer.head)
        stays = self._request_done and self.client.may_stay(self.head.fields)
        answer.begin(payload, block, extra, stays=stays, done=done)
        self._after(done=done)

    def _dress(self, head: ResponseHead) -> tuple[bytes, bytes]:
        if self._trace is not None:
            self._trace.on_answer(head.status)
        return self._balancer.on_answer(self.route, self._asked(), head, self.client.now)

    def _after(self, *, done: bool) -> None:
        if done:
            self._finish()
        else:
            self.client.deadline = monotonic() + self._patience

    def end_of_client(self) -> bool:
        """The client of a tunnel will send no more; whether its server may still."""
        return self._connection is not None and self._connection.end_of_request()

    def hold_answer(self, *, held: bool) -> None:
        if self._connection is not None:
            self._connection.hold(held=held)

    def _finish(self) -> None:
        connection = self._leave_server()
        self.over = True
        if self._trace is not None:
            self._trace.over(self, trouble.ORDINARY)
        if connection is not None:
            connection.release(request_was_sent=self._request_done)
        self.client.on_exchange_over(was_read=self._request_done)

    # Trouble

    def on_connect_failed(self, server: Server, error: OSError) -> None:
        server.counters.econ += 1
        self._fresh = False
        if shortage.is_ours(error):
            if not self.over:  # another server could be asked no better, and would move the session
                self.give_up(trouble.short(server, error))
            return
        result, reason = trouble.not_connected(server, error)
        self._balancer.suspect(server, result)
        if not self.over:
            self._fail(reason)

    def on_server_gone(self, error: Exception | None) -> None:
        """The connection ended before the answer did."""
        server = self._asked()
        server.counters.eresp += 1
        self._balancer.suspect(server, None)
        # An idle connection that its server had closed says nothing about the server: it is asked
        # once more on a fresh one, before a session is moved for nothing.
        was_idle = self._connection is not None and self._connection.reused and self.answer is None
        self._fresh = was_idle and self._phase is _SENT and server.available(tied=True)
        self._fail(trouble.gone(server, error))

    def on_bad_answer(self, error: BadMessage) -> None:
        self._asked().counters.eresp += 1
        if self._phase is _ANSWERED:
            self._cut("P")
        else:
            word = "http_protocol_error" if error.error == REQUEST_ERROR else error.error
            self.give_up(Unanswered(502, word, error.detail))

    def on_deadline(self) -> None:
        """Too long without progress, whoever of the two is to blame."""
        if self._phase is _ANSWERED:
            self._cut("s")
        elif not self._request_done:
            self.give_up(Unanswered(408, REQUEST_ERROR, "the request's body stopped coming"))
        else:
            server = self._asked()
            self._balancer.suspect(server, None)
            self.give_up(trouble.silent(server, self._balancer.settings.response_timeout))

    def abandon(self, who: str = "C", status: int | None = None) -> None:
        """Give the request up, whatever the server makes of it; by default since the client went away."""
        if not self.over:
            if self.server is not None:
                self.server.counters.cli_abrt += 1
            self._end_unanswered(trouble.end_by(who, self._phase), status)

    def _fail(self, reason: Unanswered) -> None:
        server = self._asked()
        self._leave_server()
        limit = self._balancer.settings.replay_limit
        decision = retry.decide(
            self._phase,
            repeatable=self.head.may_repeat,
            replayable=self._replay.is_whole if self._replay else len(self._message) <= limit,
            tries_left=1 + self._balancer.settings.retries - len(self.route.met),
        )
        self.route.left_because = reason.error
        if decision is Decision.CUT:
            self._cut("S")
        elif decision is Decision.ANSWER_ERROR or not self._balancer.may_retry():
            self.give_up(reason)
        elif self._fresh:
            self._balancer.on_retry(server)
            self._go_to(server)
        else:
            self._balancer.on_redispatch(server)
            # "Nobody is there" would be read as "nobody got it", and somebody may have.
            self.start(otherwise=reason if self._phase is _SENT else None)

    def _cut(self, who: str) -> None:
        """Part of the answer is out: end it visibly without its end."""
        self._asked().counters.srv_abrt += 1
        self._end_unanswered(trouble.end_by(who, self._phase))
        self.client.cut()

    def give_up(self, reason: Unanswered) -> None:
        self._end_unanswered(trouble.end_of(reason), reason.status)
        extra = self.route.told(self.server) if self._balancer.settings.lab_headers else b""
        self.client.refuse(reason, self.head, extra=extra, was_read=self._request_done)

    def _end_unanswered(self, end: str, status: int | None = None) -> None:
        connection = self._leave_server()
        self.over = True
        if self._trace is not None:
            self._trace.over(self, end, status)
        self._balancer.routing.sticky.abandon(self.route)
        if connection is not None:
            connection.drop()
