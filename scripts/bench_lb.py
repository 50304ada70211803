# noqa: INP001 - scripts are no package
"""What a balancer costs: ours, HAProxy, nginx and two plain Python proxies in one run, side by side.

Each balancer is pinned to one core; the load (wrk) and the server to another. Rounds alternate, so that
whatever else the machine does meets all of them, and the figure of a row is the median of its rounds. The
one to trust is CPU per request: it is the kernel's own account of the time that the balancer's processes
ran (/proc/PID/task/*/schedstat, nanoseconds), and does not depend on who else wanted the core.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import os
import platform
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, closing, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NoReturn

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

HOUSE = Path(__file__).parents[1]
STAGE = Path(__file__).with_name("bench_stage.py")
PYTHON = [sys.executable, "-P"]
SERVERS, MANY_SERVERS = 3, 100
CONNECTIONS, BIG_CONNECTIONS = 64, 16
UP_WITHIN = 10.0
MEASURED, LOAD = 0, 1
"""Cores: who is measured has one of its own."""
ENVIRONMENT_PROBLEM = 4
NANO, MICRO, MEBI, GIGA = 1e9, 1e6, 1 << 20, 1e9

FIGURES = (
    "CPU us/request", "x HAProxy", "core %", "requests/s", "p50 ms", "p99 ms",
    "1 MiB: GB/s", "CPU us", "idle KB",
)  # fmt: skip

# What each is told is written out here, and not exported: whoever doubts a figure reads it in one place.
# HAProxy ties by a cookie of its own, as ours does with "cookie"; the free nginx can only hash one.
HAPROXY = """\
global
  nbthread 1
  maxconn {most}
defaults
  mode http
  timeout connect 1s
  timeout client 60s
  timeout server 30s
  timeout http-request 10s
  timeout http-keep-alive 60s
  http-reuse always
frontend shop
  bind 127.0.0.1:{port} backlog 1024
  option forwardfor
  default_backend carts
backend carts
  balance roundrobin
  cookie SRV insert indirect nocache
  option httpchk GET /ready
  default-server check inter 500
{servers}
"""
NGINX = """\
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.err;
events {{ worker_connections 16384; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 60;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  upstream carts {{
{servers}
    hash $cookie_cart_sid consistent; keepalive 128; keepalive_requests 1000000000;
  }}
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    location / {{
      proxy_pass http://carts; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Host $http_host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }}
  }}
}}
"""


class Missing(Exception):
    """A contestant that cannot take part; the message says why."""


@dataclass(frozen=True, slots=True)
class Running:
    port: int
    process: subprocess.Popen[str]

    @property
    def family(self) -> list[psutil.Process]:
        me = psutil.Process(self.process.pid)
        return [me, *me.children(recursive=True)]

    @property
    def cpu(self) -> float:
        """Seconds that its threads have run so far, those of its children included."""
        tasks = (task for one in self.family for task in Path(f"/proc/{one.pid}/task").iterdir())
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / NANO

    @property
    def memory(self) -> int:
        return sum(one.memory_info().rss for one in self.family)


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
    skipped: str | None = None

    def settle(self) -> None:
        if self.rounds:
            for name in ("cpu", "busy", "rate", "p50", "p99"):
                setattr(self, name, median(getattr(one, name) for one in self.rounds))


class Stage:
    """Starts programs, each in the place it is to run, and ends them all."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self._stack = stack
        self._folder = folder
        self._logs: dict[int, Path] = {}
        _, ports = self._ask(LOAD, [*PYTHON, str(STAGE), "server", str(MANY_SERVERS)])
        self.upstreams: list[int] = json.loads(ports)

    def ours(self, *flags: str, servers: int = SERVERS) -> Running:
        told = [
            word
            for number, port in enumerate(self.upstreams[:servers], 1)
            for word in ("--server", f"s{number}=127.0.0.1:{port}")
        ]
        # Everything on: the admin API, the headers for learning, retries of keyed requests.
        usual = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--lab-headers", "--retry-keyed"]
        process, line = self._ask(MEASURED, [*PYTHON, "-m", "lb", *usual, *flags, *told])
        return self._ready(json.loads(line)["port"], process)

    def haproxy(self, servers: int = SERVERS) -> Running:
        program, port = _found("haproxy"), _free_port()
        lines = [f"  server s{n} 127.0.0.1:{p} cookie s{n}" for n, p in self._numbered(servers)]
        config = self._folder / f"haproxy-{port}.cfg"
        most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        config.write_text(
            HAPROXY.format(port=port, servers="\n".join(lines), most=min(16_384, most // 2 - 100))
        )
        return self._ready(port, self._start(MEASURED, [program, "-db", "-f", str(config)]))

    def nginx(self, servers: int = SERVERS) -> Running:
        program, port = _found("nginx"), _free_port()
        lines = [f"    server 127.0.0.1:{p};" for _, p in self._numbered(servers)]
        config = self._folder / f"nginx-{port}.conf"
        config.write_text(NGINX.format(port=port, servers="\n".join(lines), folder=self._folder))
        command = [program, "-e", str(self._folder / "nginx.err"), "-c", str(config)]
        return self._ready(port, self._start(MEASURED, command))

    def rival(self, library: str) -> Running:
        upstream = f"http://127.0.0.1:{self.upstreams[0]}"
        process, ports = self._ask(MEASURED, [*PYTHON, str(STAGE), library, upstream])
        return self._ready(json.loads(ports)[0], process)

    def _numbered(self, servers: int) -> Iterator[tuple[int, int]]:
        return iter(enumerate(self.upstreams[:servers], 1))

    def _ask(self, core: int, command: Sequence[str]) -> tuple[subprocess.Popen[str], str]:
        process = self._start(core, command)
        line = process.stdout.readline() if process.stdout else ""
        if not line:
            process.wait()
            raise Missing(f"it did not start: {self._last_line(process)}")
        return process, line

    def _start(self, core: int, command: Sequence[str]) -> subprocess.Popen[str]:
        log = self._stack.enter_context((self._folder / f"{time.monotonic_ns()}.log").open("w+"))
        process = subprocess.Popen(
            ["taskset", "--cpu-list", str(core), *command],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, cwd=HOUSE,
        )  # fmt: skip
        self._stack.callback(_end, process)
        self._logs[process.pid] = Path(log.name)
        return process

    def _last_line(self, process: subprocess.Popen[str]) -> str:
        lines = [line for line in self._logs[process.pid].read_text().splitlines() if line.strip()]
        return lines[-1].strip() if lines else f"it ended with code {process.returncode}, silently"

    def _ready(self, port: int, process: subprocess.Popen[str]) -> Running:
        deadline = time.monotonic() + UP_WITHIN
        came: object = "nothing"
        while time.monotonic() < deadline and process.poll() is None:
            with suppress(OSError, http.client.HTTPException):
                came, _ = _get(port)
                if came == http.client.OK:
                    return Running(port, process)
            time.sleep(0.05)
        raise Missing(f"no 200 from it within {UP_WITHIN:g} s, but {came}; {self._last_line(process)}")


def _found(program: str) -> str:
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/local/sbin")
    if path is None:
        raise Missing(f"no {program} on PATH (Debian, Ubuntu: apt-get install {program})")
    return path


def _free_port() -> int:
    """HAProxy and nginx cannot say which port they took, so one is looked for."""
    with closing(socket.create_server(("127.0.0.1", 0))) as found:
        port: int = found.getsockname()[1]
        return port


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    if process.stdin:
        process.stdin.close()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
    if process.stdout:
        process.stdout.close()


def _get(port: int, cookie: str = "") -> tuple[int, str]:
    """Status, and what a browser would send back as its cookies."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=2)) as connection:
        connection.request("GET", "/cart", headers={"Cookie": cookie} if cookie else {})
        answer = connection.getresponse()
        answer.read()
        given = answer.headers.get_all("Set-Cookie") or []
        return answer.status, "; ".join(line.partition(";")[0] for line in given)


def wrk(running: Running, path: str, seconds: int, connections: int, *, as_stranger: bool = False) -> Round:
    cookie = "" if as_stranger else _get(running.port)[1]
    command = ["wrk", "--threads=1", f"--connections={connections}", f"--duration={seconds}s", "--latency"]
    command += ["--header", f"Cookie: {cookie}", f"http://127.0.0.1:{running.port}{path}"]
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
            _progress()


def measure_big(contestants: dict[str, Running], rows: dict[str, Row], rounds: int) -> None:
    found: dict[str, list[Round]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, running in contestants.items():
            found[name].append(wrk(running, "/big", 1, BIG_CONNECTIONS))
            _progress()
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
            _progress()
    for one in (few, many):
        _end(one.process)
    cheap, dear = map(median, found)
    return {"few": cheap, "many": dear, "checks_few": resting[0], "checks_many": resting[1]}


def measure_sessions(running: Running, wanted: int, seconds: int) -> dict[str, float]:
    """What a learned session weighs, and what a request costs before and after so many were learned."""
    before, memory, learned = wrk(running, "/cart", seconds, CONNECTIONS), running.memory, 0
    while learned < wanted:
        learned += wrk(running, "/cart", seconds, CONNECTIONS, as_stranger=True).requests
        _progress()
    weight = (running.memory - memory) / learned
    after = wrk(running, "/cart", seconds, CONNECTIONS)
    _end(running.process)
    return {"learned": learned, "bytes": weight, "before": before.cpu, "after": after.cpu}


def _resting(running: Running) -> float:
    """The share of a core that it takes when nobody asks anything: mostly its health checks."""
    before, began = running.cpu, time.monotonic()
    time.sleep(1)
    return (running.cpu - before) / (time.monotonic() - began)


def _progress() -> None:
    if sys.stderr.isatty():
        print(".", end="", file=sys.stderr, flush=True)  # noqa: T201 - two minutes are long


def machine() -> dict[str, str]:
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=HOUSE, capture_output=True, text=True, check=False
    )
    return {
        "cpu": f"{cpu[1] if cpu else platform.machine()}, {os.cpu_count()} cores",
        "system": platform.platform(),
        "load": "{:.2f} {:.2f} {:.2f} (1, 5, 15 minutes, before the run)".format(*os.getloadavg()),
        "commit": commit.stdout.strip() or "unknown",
        "Python": platform.python_version(),
        "HAProxy": _version("haproxy", "-v"),
        "nginx": _version("nginx", "-v"),
        "wrk": _version("wrk", "-v"),
    }


def _version(program: str, flag: str) -> str:
    try:
        said = subprocess.run([_found(program), flag], capture_output=True, text=True, check=False)
    except Missing:
        return "missing"
    match = re.search(r"\d+(?:\.\d+)+\S*", said.stdout + said.stderr)
    return match[0] if match else "unknown"


def _say(line: str = "") -> None:
    print(line, flush=True)  # noqa: T201 - the table is the product


def table(rows: Sequence[Row]) -> Iterator[str]:
    reference = next((row for row in rows if row.name == "haproxy"), None)
    base = reference.cpu if reference else None
    yield f"| {'balancer':14} | {' | '.join(FIGURES)} |"
    yield f"|{'-' * 16}|{'---:|' * len(FIGURES)}"
    for row in rows:
        if row.skipped:
            yield f"| {row.name:14} | skipped: {row.skipped} {'|' * len(FIGURES)}"
            continue
        ratio = row.cpu / base if row.cpu and base else None
        cells = [
            _cell(row.cpu, 1), _cell(ratio, 2), _cell(row.busy, 0),
            _cell(row.rate, 0), _cell(row.p50, 1), _cell(row.p99, 1),
            _cell(row.big_gigabytes, 2), _cell(row.big_cpu, 0), _cell(row.idle_kilobytes, 1),
        ]  # fmt: skip
        yield f"| {row.name:14} | {' | '.join(cells)} |"


def _cell(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def refuse(why: str) -> NoReturn:
    print(f"bench-lb: {why}", file=sys.stderr)  # noqa: T201 - as above
    sys.exit(ENVIRONMENT_PROBLEM)


def check_machine() -> None:
    if sys.platform != "linux":
        refuse("the kernel's account (/proc/PID/task/*/schedstat) and pinning are Linux's; run it there.")
    if not {MEASURED, LOAD} <= os.sched_getaffinity(0):
        refuse("needs two cores, 0 and 1: one for who is measured, one for the load.")
    for tool, package in (("wrk", "wrk"), ("taskset", "util-linux")):
        if shutil.which(tool) is None:
            refuse(f"the load comes from {tool}, and there is none on PATH: apt-get install {package}")


def options_given() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="of each row; its figure is their median")
    parser.add_argument("--seconds", type=int, default=1, help="of one round")
    parser.add_argument("--idle", type=int, default=4000, help="clients that keep an idle connection")
    parser.add_argument("--sessions", type=int, default=100_000, help="learned, to weigh one of them")
    parser.add_argument("--ties", default="learn,cookie", help="what ours is run with, one row each")
    parser.add_argument("--only", default="", help="rows, by the beginnings of their names: ours,haproxy")
    parser.add_argument("--json", type=Path, default=HOUSE / "runs/bench-lb.json", metavar="FILE")
    return parser.parse_args()


def entrants(stage: Stage, ties: Sequence[str], only: Sequence[str]) -> dict[str, Callable[[], Running]]:
    every: dict[str, Callable[[], Running]] = {
        f"ours, {tie}": lambda tie=tie: stage.ours("--sticky", tie)  # type: ignore[misc]  # a default binds it
        for tie in ties
    }
    every |= {"haproxy": stage.haproxy, "nginx": stage.nginx}
    every |= {library: lambda library=library: stage.rival(library) for library in ("aiohttp", "httpx")}  # type: ignore[misc]  # as above
    return {name: start for name, start in every.items() if not only or name.startswith(tuple(only))}


def run(options: argparse.Namespace, stage: Stage) -> tuple[list[Row], dict[str, dict[str, float]]]:
    only = [name for name in options.only.split(",") if name]
    starts = entrants(stage, options.ties.split(","), only)
    rows, running = {name: Row(name) for name in starts}, {}
    for name, start in starts.items():
        try:
            running[name] = start()
        except Missing as why:
            rows[name].skipped = str(why)
    measure_small(running, rows, options.rounds, options.seconds)
    measure_big(running, rows, min(options.rounds, 3))
    for name, one in running.items():
        _end(one.process)
        # A fresh one: what the rounds before have left in its heap would hide what a client costs.
        fresh = starts[name]()
        rows[name].idle_kilobytes = asyncio.run(idle_memory(fresh, options.idle)) / 1024
        rows[name].settle()
        _end(fresh.process)
        _progress()
    many = {}
    for name, begin in (
        ("ours, learn", lambda n: stage.ours("--sticky", "learn", servers=n)),
        ("haproxy", stage.haproxy),
    ):
        if name in running:
            many[name] = measure_servers(begin, min(options.rounds, 3), options.seconds)
    if "ours, learn" in running:
        many["sessions"] = measure_sessions(
            stage.ours("--sticky", "learn"), options.sessions, options.seconds
        )
    return list(rows.values()), many


def main() -> None:
    options = options_given()
    check_machine()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    about = machine()
    began = time.monotonic()
    with TemporaryDirectory() as folder, ExitStack() as stack:
        os.sched_setaffinity(0, {LOAD})
        rows, many = run(options, Stage(stack, Path(folder)))
    report(options, about, rows, many, time.monotonic() - began)
    if any(one.errors for row in rows for one in row.rounds):
        sys.exit(1)


def report(
    options: argparse.Namespace,
    about: dict[str, str],
    rows: list[Row],
    many: dict[str, dict[str, float]],
    took: float,
) -> None:
    for what, value in about.items():
        _say(f"{what:8} {value}")
    _say(
        f"\nSmall JSON, keep-alive, {CONNECTIONS} connections, {SERVERS} servers, one core: "
        f"medians of {options.rounds} rounds of {options.seconds} s\n"
    )
    for line in table(rows):
        _say(line)
    if learned := many.pop("sessions", None):
        _say(
            f"\nours, learn: {learned['bytes']:.0f} bytes a learned session; {learned['before']:.1f} us "
            f"a request with next to none of them, {learned['after']:.1f} us with {learned['learned']:,.0f}."
        )
    for name, seen in many.items():
        _say(
            f"\n{name}: {seen['few']:.1f} us a request with {SERVERS} servers, {seen['many']:.1f} us with "
            f"{MANY_SERVERS} ({100 * (seen['many'] / seen['few'] - 1):+.0f} %); checking them takes "
            f"{100 * seen['checks_few']:.1f} % and {100 * seen['checks_many']:.1f} % of the core on top."
        )
    for row in rows:
        for said in {one.errors for one in row.rounds if one.errors}:
            _say(f"\n{row.name}: wrk saw errors: {said}")
    options.json.parent.mkdir(parents=True, exist_ok=True)
    facts = {
        "machine": about, "seconds": took, "rows": [asdict(row) for row in rows],
        "servers": many, "sessions": learned,
    }  # fmt: skip
    options.json.write_text(json.dumps(facts, indent=1) + "\n")
    _say(f"\n{took:.0f} s; all rounds: {options.json}")


if __name__ == "__main__":
    main()
