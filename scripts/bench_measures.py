# noqa: INP001 - scripts are no package
"""What ``bench_lb.py`` measures of a balancer that runs: each figure, and the medians of a row."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import time
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING

from scripts.bench_contestants import LOAD, MANY_SERVERS, OPEN_LOAD, PYTHON, SERVERS, Running, end, get

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CONNECTIONS, BIG_CONNECTIONS = 64, 16
MICRO, MEBI, GIGA = 1e6, 1 << 20, 1e9


@dataclass(frozen=True, slots=True)
class Round:
    """What one wrk run said. Latencies in milliseconds, ``cpu`` in microseconds a request, ``busy`` in
    percent of a core: below 100 the load was the limit, or somebody else had the core.
    """

    cpu: float
    rate: float
    p50: float
    p99: float
    errors: str
    busy: float = 0.0
    requests: int = 0


@dataclass(slots=True)
class Row:
    """The medians of a contestant; what was not measured stays None."""

    name: str
    rounds: list[Round] = field(default_factory=list)
    cpu: float | None = None
    busy: float | None = None
    rate: float | None = None
    p50: float | None = None
    p99: float | None = None
    big_gigabytes: float | None = None
    big_cpu: float | None = None
    idle_kilobytes: float | None = None
    open_p50: float | None = None
    open_p99: float | None = None
    skipped: str | None = None

    def settle(self) -> None:
        if self.rounds:
            for name in ("cpu", "busy", "rate", "p50", "p99"):
                setattr(self, name, median(getattr(one, name) for one in self.rounds))


def wrk(
    running: Running,
    path: str,
    seconds: int,
    connections: int,
    *,
    cookie: str | None = None,
    script: Path | None = None,
) -> Round:
    """``cookie``: by default the one that a first request is given."""
    cookie = get(running.port)[1] if cookie is None else cookie
    command = ["wrk", "--threads=1", f"--connections={connections}", f"--duration={seconds}s", "--latency"]
    command += ["--script", str(script)] if script else ["--header", f"Cookie: {cookie}"]
    command.append(f"http://127.0.0.1:{running.port}{path}")
    before = running.cpu
    said = subprocess.check_output(["taskset", "--cpu-list", str(LOAD), *command], text=True)
    spent = running.cpu - before
    total = re.search(r"(\d+) requests in ([\d.]+)s", said)
    if total is None or not int(total[1]):
        return Round(0, 0, 0, 0, errors="no answer at all")
    requests, took = int(total[1]), float(total[2])
    busy = 100 * spent / took
    errors = "; ".join(re.findall(r"(?:Non-2xx|Socket errors).*", said))
    p50, p99 = _latency(said, 50), _latency(said, 99)
    return Round(
        MICRO * spent / requests, requests / took, p50, p99, " ".join(errors.split()), busy, requests
    )


def _latency(said: str, percent: int) -> float:
    match = re.search(rf"{percent}%\s+([\d.]+)(us|ms|s)", said)
    return float(match[1]) * {"us": 1e-3, "ms": 1, "s": 1e3}[match[2]] if match else float("nan")


async def idle_memory(running: Running, clients: int) -> float:
    """Bytes that each of ``clients`` costs who have had one answer and keep their connection."""
    before = running.memory
    gate = asyncio.Semaphore(CONNECTIONS)

    async def client() -> asyncio.StreamWriter:
        async with gate:
            reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
            writer.write(b"GET /cart HTTP/1.1\r\nHost: shop\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: (\d+)", head)
            await reader.readexactly(int(length[1]) if length else 0)
            return writer

    writers = await asyncio.gather(*(client() for _ in range(clients)))
    after = running.memory
    for writer in writers:
        writer.transport.abort()
    return (after - before) / clients


def measure_small(contestants: dict[str, Running], rows: dict[str, Row], rounds: int, seconds: int) -> None:
    for _ in range(rounds):
        for name, running in contestants.items():
            rows[name].rounds.append(wrk(running, "/cart", seconds, CONNECTIONS))
            progress()


def measure_big(contestants: dict[str, Running], rows: dict[str, Row], rounds: int) -> None:
    found: dict[str, list[Round]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, running in contestants.items():
            found[name].append(wrk(running, "/big", 1, BIG_CONNECTIONS))
            progress()
    for name, seen in found.items():
        rows[name].big_gigabytes = median(one.rate for one in seen) * MEBI / GIGA
        rows[name].big_cpu = median(one.cpu for one in seen)


def measure_servers(start: Callable[[int], Running], rounds: int, seconds: int) -> dict[str, float]:
    """CPU a request with few servers and with many, and what checking them costs with no request at all."""
    few, many = start(SERVERS), start(MANY_SERVERS)
    resting = [_resting(one) for one in (few, many)]
    found: list[list[float]] = [[], []]
    for _ in range(rounds):
        for number, running in enumerate((few, many)):
            seen = wrk(running, "/cart", seconds, CONNECTIONS)
            found[number].append(seen.cpu - MICRO * resting[number] / seen.rate)
            progress()
    for one in (few, many):
        end(one.process)
    cheap, dear = map(median, found)
    return {"few": cheap, "many": dear, "checks_few": resting[0], "checks_many": resting[1]}


#: A request of anybody who was there before: each time another session, in no order.
ANYBODY = """\
math.randomseed(7)
function request()
  local cookie = string.format("cart_sid=%043d", math.random({first}, {last}))
  return wrk.format(nil, nil, {{["Cookie"] = cookie}})
end
"""
FEW_SESSIONS = 1000


def measure_sessions(running: Running, wanted: int, rounds: int, folder: Path) -> dict[str, float]:
    """What a learned session weighs, and what a request costs with few of them and with ``wanted``.

    The servers number their sessions, so the load can be anybody of them.
    """
    first = _number(running)
    for _ in range(FEW_SESSIONS):
        get(running.port)
    script = folder / "anybody.lua"
    script.write_text(ANYBODY.format(first=first, last=first + FEW_SESSIONS))
    few = [_by_anybody(running, script) for _ in range(rounds)]
    memory, learned = running.memory, 0
    while learned < wanted:
        learned += wrk(running, "/cart", 1, CONNECTIONS, cookie="").requests
        progress()
    weight = (running.memory - memory) / learned
    script.write_text(ANYBODY.format(first=first, last=_number(running) - 1))
    many = [_by_anybody(running, script) for _ in range(rounds)]
    end(running.process)
    return {"learned": learned, "bytes": weight, "few": median(few), "many": median(many)}


def _by_anybody(running: Running, script: Path) -> float:
    progress()
    return wrk(running, "/cart", 1, CONNECTIONS, script=script).cpu


def _number(running: Running) -> int:
    """Begin a session; the number that its server gave it."""
    return int(get(running.port)[1].partition("cart_sid=")[2].partition(";")[0])


def measure_open(running: Running, rate: float, seconds: float) -> tuple[float, float]:
    """The median and the 99th percentile of the latency under an open load, in milliseconds."""
    told = [*PYTHON, str(OPEN_LOAD), str(running.port), str(rate), str(seconds), get(running.port)[1]]
    said = subprocess.check_output(["taskset", "--cpu-list", str(LOAD), *told], text=True)
    progress()
    seen = json.loads(said)
    return seen["50"], seen["99"]


def _resting(running: Running) -> float:
    """The share of a core that it takes when nobody asks anything: mostly its health checks."""
    before, began = running.cpu, time.monotonic()
    time.sleep(1)
    return (running.cpu - before) / (time.monotonic() - began)


def progress() -> None:
    if sys.stderr.isatty():
        print(".", end="", file=sys.stderr, flush=True)  # noqa: T201 - two minutes are long
