# noqa: INP001 - scripts are no package
"""Open load: requests begin when they are due, whether or not the ones before were answered.

``python bench_open.py PORT RATE SECONDS COOKIE`` prints percentiles of the latency in milliseconds. A
request's clock starts at the moment it was due, not when it could be sent: a balancer that stalls
makes all those wait that came meanwhile, and each of these waits is counted (no coordinated
omission). Arrivals are independent of each other (Poisson), the same ones in every run.
"""

from __future__ import annotations

import json
import re
import select
import socket
import sys
from collections import deque
from contextlib import ExitStack
from random import Random
from time import perf_counter

CONNECTIONS = 64
WARM_UP = 0.3
"""Seconds at the beginning whose requests do not count."""
GIVE_UP = 5.0
TICK = 1e-3
"""Within this of the next arrival the generator looks without sleeping: the kernel wakes no finer."""
RECEIVED_AT_ONCE = 65_536


class Generator:
    def __init__(self, port: int, rate: float, seconds: float, request: bytes, stack: ExitStack) -> None:
        lots = Random(7)  # noqa: S311 - the same arrivals each time
        self._epoll = stack.enter_context(select.epoll())
        self._request = request
        self._due = self._arrivals(lots, rate, seconds)
        self._idle: list[socket.socket] = []
        self._busy: dict[int, tuple[socket.socket, float, int]] = {}
        self._answer_size = 0
        self.latencies: list[float] = []
        for _ in range(CONNECTIONS):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=2))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.sendall(request)
            self._answer_size = _size_of_answer(connection)
            connection.setblocking(False)  # noqa: FBT003 - the name says it
            self._epoll.register(connection, select.EPOLLIN)
            self._idle.append(connection)

    @staticmethod
    def _arrivals(lots: Random, rate: float, seconds: float) -> deque[float]:
        due, at = deque[float](), 0.0
        while at < seconds:
            at += lots.expovariate(rate)
            due.append(at)
        return due

    def run(self) -> None:
        due, idle, busy = self._due, self._idle, self._busy
        last = due[-1]
        began = perf_counter()
        while due or busy:
            now = perf_counter() - began
            while due and idle and due[0] <= now:
                at = due.popleft()
                connection = idle.pop()
                busy[connection.fileno()] = connection, at, self._answer_size
                connection.send(self._request)
            if now > last + GIVE_UP:
                raise TimeoutError(f"{len(due) + len(busy)} requests were not answered")
            wait = 0.0 if due and idle and due[0] - now < TICK else TICK
            for descriptor, _ in self._epoll.poll(wait):
                self._receive(descriptor, began)

    def _receive(self, descriptor: int, began: float) -> None:
        connection, at, left = self._busy.pop(descriptor)
        came = connection.recv(RECEIVED_AT_ONCE)
        begins = left == self._answer_size
        left -= len(came)
        if not came or left < 0 or (begins and not came.startswith(b"HTTP/1.1 200 ")):
            raise ValueError(f"expected the same 200 each time, got {came[:200]!r}")
        if left:
            self._busy[descriptor] = connection, at, left
            return
        if at > WARM_UP:
            self.latencies.append(perf_counter() - began - at)
        self._idle.append(connection)


def _size_of_answer(connection: socket.socket) -> int:
    """Head and body; every answer is as long as the first one."""
    head, body = b"", b""
    while not body:
        head += connection.recv(RECEIVED_AT_ONCE)
        head, _, body = head.partition(b"\r\n\r\n") if b"\r\n\r\n{" in head else (head, b"", b"")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    size = len(head) + 4 + (int(length[1]) if length else 0)
    missing = size - len(head) - 4 - len(body)
    while missing:
        missing -= len(connection.recv(missing))
    return size


def main() -> None:
    port, rate, seconds, cookie = sys.argv[1:]
    request = f"GET /cart HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nCookie: {cookie}\r\n\r\n".encode()
    with ExitStack() as stack:
        generator = Generator(int(port), float(rate), float(seconds), request, stack)
        generator.run()
    seen = sorted(generator.latencies)
    print(json.dumps({p: 1e3 * seen[int(len(seen) * p / 100)] for p in (50, 99)}))  # noqa: T201 - read by the bench


if __name__ == "__main__":
    main()
