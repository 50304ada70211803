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
import json
import os
import platform
import re
import resource
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from dataclasses import asdict
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NoReturn

from scripts.bench_contestants import HOUSE, LOAD, MANY_SERVERS, MEASURED, SERVERS, Missing, Stage, end, found
from scripts.bench_measures import (
    CONNECTIONS,
    FEW_SESSIONS,
    Row,
    idle_memory,
    measure_big,
    measure_open,
    measure_servers,
    measure_sessions,
    measure_small,
    progress,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from scripts.bench_contestants import Running

ENVIRONMENT_PROBLEM = 4
IDLE_SECONDS = 5
FIGURES = (
    "CPU us/request", "x HAProxy", "core %", "requests/s", "x HAProxy", "p50 ms", "p99 ms",
    "open load: p50 ms", "p99 ms", "1 MiB: GB/s", "CPU us", "idle KB",
)  # fmt: skip


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
        said = subprocess.run([found(program), flag], capture_output=True, text=True, check=False)
    except Missing:
        return "missing"
    match = re.search(r"\d+(?:\.\d+)+\S*", said.stdout + said.stderr)
    return match[0] if match else "unknown"


#: What a page with the figures says before them.
PAGE = """\
# What a request costs

Made by `scripts/bench-lb --page docs/speed.md`. Each balancer has one core of its own; load (wrk) and
servers share the other. *CPU* is the kernel's own account of the time that the balancer's processes ran,
for each request that was answered; trust it first, for it depends least on who else wanted the machine.
*Open load* is half of what the row can do, at most 6,000 requests a second, since its generator and the
servers share a core: requests begin when they are due (Poisson), and their clock starts then; from its
latency that of the server alone at the same rate is taken off. *Idle* is
what a client costs who keeps its connection.

Ours runs with everything on that costs something for each request: the tie of its row, HTTP/1.1 checked to
the letter, `Via` and `X-Forwarded-*`, retries with replay, health checks, all time limits, counters, the
admin API, the `X-Lab-*` fields that HAProxy does not make. HAProxy ties by a cookie of its own, checks,
forwards with `option forwardfor` and tries a failed connection again, which is its default; what was sent
it never sends twice. nginx hashes the cart's cookie and forwards; its free edition has no health checks.
Nobody writes a request log: ours is off unless asked for, as is theirs here.

{said}
"""

_said: list[str] = []


def _say(line: str = "") -> None:
    _said.append(line)
    print(line, flush=True)  # noqa: T201 - the table is the product


def table(rows: Sequence[Row]) -> Iterator[str]:
    reference = next((row for row in rows if row.name == "haproxy"), None)
    base, pace = (reference.cpu, reference.rate) if reference else (None, None)
    yield f"| {'balancer':14} | {' | '.join(FIGURES)} |"
    yield f"|{'-' * 16}|{'---:|' * len(FIGURES)}"
    for row in rows:
        if row.skipped:
            yield f"| {row.name:14} | skipped: {row.skipped} {'|' * len(FIGURES)}"
            continue
        ratio = row.cpu / base if row.cpu and base else None
        share = row.rate / pace if row.rate and pace else None
        cells = [
            _cell(row.cpu, 1), _cell(ratio, 2), _cell(row.busy, 0),
            _cell(row.rate, 0), _cell(share, 2), _cell(row.p50, 1), _cell(row.p99, 1),
            _cell(row.open_p50, 2), _cell(row.open_p99, 2),
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


def idle_clients(wanted: int) -> int:
    """As many of them as the limit of open files lets HAProxy take in, which counts two for each."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # only root may raise it beyond what it is
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(most, 2 * wanted + 400),) * 2)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return min(wanted, most // 2 - 200)


def options_given() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one round of each, few clients and sessions")
    parser.add_argument("--rounds", type=int, default=5, help="of each row; its figure is their median")
    parser.add_argument("--seconds", type=int, default=1, help="of one round")
    parser.add_argument("--idle", type=int, default=10_000, help="clients that keep an idle connection")
    parser.add_argument("--sessions", type=int, default=1_000_000, help="learned, to weigh one of them")
    parser.add_argument("--ties", default="learn,cookie", help="what ours is run with, one row each")
    parser.add_argument("--only", default="", help="rows, by the beginnings of their names: ours,haproxy")
    parser.add_argument("--page", type=Path, metavar="FILE", help="the same as a page in Markdown")
    parser.add_argument("--json", type=Path, default=HOUSE / "runs/bench-lb.json", metavar="FILE")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.idle, options.sessions = 1, 1_000, 100_000
    return options


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
    for row in rows.values():
        row.settle()
    measure_half_load(running, rows, stage, min(options.rounds, 3))
    for name, one in running.items():
        end(one.process)
        # A fresh one: what the rounds before have left in its heap would hide what a client costs.
        fresh = starts[name]()
        # Who answers a few hundred requests a second would take minutes to get to know them all.
        clients = min(options.idle, int(IDLE_SECONDS * (rows[name].rate or 0)) or 100)
        rows[name].idle_kilobytes = asyncio.run(idle_memory(fresh, clients)) / 1024
        end(fresh.process)
        progress()
    many = {}
    for name, begin in (
        ("ours, learn", lambda n: stage.ours("--sticky", "learn", servers=n)),
        ("haproxy", stage.haproxy),
    ):
        if name in running:
            many[name] = measure_servers(begin, min(options.rounds, 3), options.seconds)
    if "ours, learn" in running:
        many["sessions"] = measure_sessions(
            stage.ours("--sticky", "learn", "--table-size", str(2 * options.sessions)),
            options.sessions,
            min(options.rounds, 3),
            stage.folder,
        )
    return list(rows.values()), many


#: Requests a second of the open load at most. Its generator and the servers share a core, and above this
#: the latency would be theirs: the servers alone then take longer than any balancer adds.
MOST_OPEN = 6_000


def measure_half_load(
    running: dict[str, Running], rows: dict[str, Row], stage: Stage, rounds: int, seconds: float = 1.5
) -> None:
    """Latency at half of what each can do, but ``MOST_OPEN``, less the server's own at the same rate."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in running}
    for _ in range(rounds):
        for name, one in running.items():
            rate = min((rows[name].rate or 0) / 2, MOST_OPEN)
            if rate:
                with_it = measure_open(one, rate, seconds)
                without = measure_open(stage.bare(), rate, seconds)
                found[name].append((with_it[0] - without[0], with_it[1] - without[1]))
    for name, seen in found.items():
        if seen:
            rows[name].open_p50 = median(p50 for p50, _ in seen)
            rows[name].open_p99 = median(p99 for _, p99 in seen)


def main() -> None:
    options = options_given()
    check_machine()
    options.idle = idle_clients(options.idle)
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
        _say(f"- {what}: {value}")
    _say(
        f"\nSmall JSON, keep-alive, {CONNECTIONS} connections, {SERVERS} servers, one core: "
        f"medians of {options.rounds} rounds of {options.seconds} s; "
        f"up to {options.idle:,} idle clients\n"
    )
    for line in table(rows):
        _say(line)
    if learned := many.pop("sessions", None):
        _say(
            f"\nours, learn: {learned['bytes']:.0f} bytes a learned session; a request of anybody of them "
            f"takes {learned['few']:.1f} us with {FEW_SESSIONS:,} learned, {learned['many']:.1f} us with "
            f"{learned['learned']:,.0f} ({100 * (learned['many'] / learned['few'] - 1):+.0f} %)."
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
    if options.page:
        options.page.write_text(PAGE.format(said="\n".join(_said)))
    _say(f"\n{took:.0f} s; all rounds: {options.json}")


if __name__ == "__main__":
    main()
