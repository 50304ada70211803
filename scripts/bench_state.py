# noqa: INP001 - scripts are no package
"""What carts cost in each strategy: medians of rounds, every figure in the same run.

A strategy's own figures are taken inside one process, at the strategy (no HTTP): beside the store's
round trip through the same client they tell what the strategy adds. The store keeps its log, fsynced
every second.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import asynccontextmanager
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from lab.cluster.store_binary import find_binary
from services.cart import catalogue, strategies
from services.cart.app import create_app
from services.cart.config import Config
from services.cart.errors import StoreCut
from services.cart.model import Change, Verb
from services.cart.session import COOKIE, Cookies
from services.cart.store import Store
from services.cart.strategies.protocol import Ask

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from services.cart.strategies.protocol import Strategy

PRICES = catalogue.load().prices
ADD = Ask(Change(Verb.ADD, "iphone-15", 1))
NEW = replace(ADD, create=True)
SECRET = "of this bench only, never on a network"  # noqa: S105 - said there
SESSIONS, WRITES, DELAY_RATE, CONTENDERS = 64, 500, 500, 20
STARTED = 20.0

Figures = dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round")
    parser.add_argument("--rounds", type=int, default=5, help="of which medians are taken; default 5")
    parser.add_argument("--json", type=Path, default=Path("runs/bench-state.json"), metavar="FILE")
    parser.add_argument("--page", type=Path, metavar="FILE", help="the same as a page in Markdown")
    asked = parser.parse_args()
    rounds, calls = (1, 1_000) if asked.quick else (asked.rounds, 5_000)
    figures = asyncio.run(measure(rounds, calls))
    load = os.getloadavg()[0]
    asked.json.parent.mkdir(parents=True, exist_ok=True)
    asked.json.write_text(json.dumps({"rounds": rounds, "load": load, "figures": figures}, indent=1) + "\n")
    sys.stdout.write(table(figures))
    if asked.page:
        asked.page.write_text(page(figures, rounds, load), encoding="utf-8")


async def measure(rounds: int, calls: int) -> Figures:
    """By name, the median of ``rounds``; each round measures everything once, so all see the same noise."""
    every: list[Figures] = []
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir="/tmp"))
    try:
        async with a_store(folder) as url:
            for number in range(rounds):
                config = Config(store_url=url, store_prefix=f"{number}:", secret=SECRET, store_timeout=20)
                every.append(await one_round(config, calls))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {name: median(each[name] for each in every) for name in every[0]}


async def one_round(config: Config, calls: int) -> Figures:
    figures: Figures = {}
    for flying in (1, 16):
        figures |= await round_trips(config, calls, flying)
        for name in ("stateless", "hybrid", "memory"):
            figures |= await adds(replace(config, strategy=name), calls, flying)
    for name in ("memory", "write_through", "stateless", "hybrid", "client_cookie", "naive_blob"):
        prefix = f"{config.store_prefix}{name}:"
        figures |= await contention(replace(config, strategy=name, store_prefix=prefix))
    for name in ("memory", "stateless"):
        figures |= await requests(replace(config, strategy=name), calls)
    return figures | await delays(config)


async def round_trips(config: Config, calls: int, flying: int) -> Figures:
    """The store's own: the smallest question, through the client that the strategies use."""
    store = Store(config)
    took, _ = await timed(lambda _: store.call("PING"), calls, flying)
    await store.close()
    return percentiles(f"store round trip, {flying} in flight", took)


async def adds(config: Config, calls: int, flying: int) -> Figures:
    async with built(config) as server:
        for number in range(SESSIONS):
            await server.change(f"{flying} {number}", NEW)
        put = Ask(Change(Verb.PUT, "iphone-15", 2))  # a line may hold 9,999, and this asks as much

        def change(number: int) -> Awaitable[Any]:
            return server.change(f"{flying} {number % SESSIONS}", ADD if number % 2 else put)

        took, processor = await timed(change, calls, flying)
    label = f"{config.strategy} change, {flying} in flight"
    return percentiles(label, took) | {f"{label}, a core/s": len(took) / processor}


async def contention(config: Config) -> Figures:
    """500 adds to one cart, 20 at a time; with client_cookie all from one cookie, as tabs."""
    async with built(config) as server:
        first = await server.change("one", NEW)
        ask, last = replace(ADD, carried=first.carried), first

        async def add(_: int) -> None:
            nonlocal last
            last = await server.change("one", ask)

        began = time.perf_counter()
        await timed(add, WRITES, CONTENDERS)
        took = time.perf_counter() - began
        kept = (await server.read("one", last.carried)).cart.quantity(ADD.change.sku)
    label = f"{WRITES} adds to one cart, {config.strategy}"
    return {f"{label}, s": took, f"{label}, kept": kept - 1}


async def requests(config: Config, calls: int) -> Figures:
    """POST /cart/add through the whole application, 16 in flight; only the sockets are left out."""
    app = create_app(config)
    body = b'{"item": "iPhone 15", "quantity": 1}'
    cookies = [Cookies(SECRET).mint() for _ in range(SESSIONS)]
    for cookie in cookies:
        await app.state.shop.strategy.change(cookie.id, NEW)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        if message.get("status", HTTPStatus.OK) != HTTPStatus.OK:
            raise RuntimeError(f"expected 200, got {message['status']}")

    async def ask(number: int) -> None:
        headers = [(b"cookie", f"{COOKIE}={cookies[number % SESSIONS].wire}".encode())]
        asked = {"method": "POST", "path": "/cart/add", "raw_path": b"/cart/add", "query_string": b""}
        scope = {"type": "http", "headers": headers, "root_path": "", "scheme": "http", **asked}
        await app({**scope, "http_version": "1.1", "server": None, "client": None}, receive, send)

    took, processor = await timed(ask, calls, 16)
    await app.state.shop.strategy.close()
    return {f"requests a core/s, {config.strategy}": len(took) / processor}


async def delays(config: Config) -> Figures:
    """From an owner to its copy, at so many changes a second; by the receiver's own measurement."""
    base = replace(config, strategy="replicated", store_url="", replication="async", peer_timeout=5)
    async with built(replace(base, server_id="one")) as one, built(replace(base, server_id="two")) as two:
        members = {each.address[0]: each.address[1] for each in (one, two)}  # type: ignore[attr-defined]
        for each in (one, two):
            each.tell(members)  # type: ignore[attr-defined]
        await one.change("a", NEW)
        began = time.perf_counter()
        for number in range(2 * DELAY_RATE):
            await asyncio.sleep(max(0, began + number / DELAY_RATE - time.perf_counter()))
            await one.change("a", ADD)
        await asyncio.sleep(0.5)
        told = two.figures()
    return {f"replication delay at {DELAY_RATE}/s, {p} ms": told[f"delay_{p}_ms"] for p in ("p50", "p99")}


async def timed(call: Callable[[int], Awaitable[Any]], calls: int, flying: int) -> tuple[list[float], float]:
    """Seconds that each call took, sorted, and the processor time of this process for all."""
    took: list[float] = []
    numbers = iter(range(calls))

    async def fly() -> None:
        for number in numbers:
            began = time.perf_counter()
            await call(number)
            took.append(time.perf_counter() - began)

    processor = time.process_time()
    await asyncio.gather(*(fly() for _ in range(flying)))
    return sorted(took), time.process_time() - processor


def percentiles(label: str, took: list[float]) -> Figures:
    return {
        f"{label}, {name} ms": round(1000 * took[int(share * len(took))], 4)
        for name, share in (("p50", 0.5), ("p99", 0.99))
    }


@asynccontextmanager
async def built(config: Config) -> AsyncIterator[Strategy]:
    server = strategies.build(config, PRICES)
    said = await server.start()
    if said:
        server.address = (config.server_id, f"{said['peer_host']}:{said['peer_port']}")  # type: ignore[attr-defined]
    try:
        yield server
    finally:
        await server.close()


@asynccontextmanager
async def a_store(folder: Path) -> AsyncIterator[str]:
    """A store of our own with its log on, on a unix socket; its URL."""
    url = f"unix://{folder}/s"
    argv = [str(find_binary().path), "--port", "0", "--unixsocket", f"{folder}/s", "--dir", str(folder)]
    popen = subprocess.Popen(  # noqa: ASYNC220 - nothing else runs yet; our own argv
        [*argv, "--save", "", "--appendonly", "yes", "--appendfsync", "everysec"], stdout=subprocess.DEVNULL
    )
    try:
        store = Store(Config(store_url=url))
        async with asyncio.timeout(STARTED):
            while True:
                try:
                    await store.call("PING")
                    break
                except StoreCut:
                    await asyncio.sleep(0.01)
        await store.close()
        yield url
    finally:
        popen.kill()
        popen.wait()


def table(figures: Figures) -> str:
    lines = [f"| {name} | {value:,.4g} |" for name, value in figures.items()]
    return "\n".join(["| figure | median |", "|---|---|", *lines, *verdicts(figures), ""])


def verdicts(figures: Figures) -> list[str]:
    """The targets, judged by what was measured here."""
    lines = []
    for flying in (1, 16):
        own = figures[f"store round trip, {flying} in flight, p50 ms"]
        ratio = figures[f"stateless change, {flying} in flight, p50 ms"] / own
        lines.append(f"| stateless p50 as a multiple of the round trip, {flying} in flight | {ratio:.2f} |")
    share = 100 * figures["requests a core/s, stateless"] / figures["requests a core/s, memory"]
    return [*lines, f"| stateless requests a core, % of memory's | {share:.0f} |"]


def page(figures: Figures, rounds: int, load: float) -> str:
    return (
        "# What session strategies cost\n\n"
        f"Made by `scripts/bench-state --page docs/state.md`: medians of {rounds} rounds, one-minute load "
        f"{load:.1f} at the end. In one process, without sockets to clients; "
        "the store keeps its log, fsynced every second.\n\n"
        f"{table(figures)}"
    )


if __name__ == "__main__":
    main()
