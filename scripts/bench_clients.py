# noqa: INP001 - scripts are no package
"""CPU time of one shopper's request, by HTTP client library and event loop.

A small server in a process of its own answers over real sockets. What is counted is the CPU time of
the client's process alone (user and system, by resource usage), with the body decoded and the
cookie kept: each person has a cookie jar of their own and shares the connections, as in the lab.
Two adds for every read; each line is measured in a fresh process.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
from contextlib import AsyncExitStack
from resource import RUSAGE_SELF, getrusage
from time import perf_counter
from typing import TYPE_CHECKING, Any

import aiohttp
import httpx
import uvloop
from aiohttp import web

from lab.workload.client import Door

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    #: Sends an add when told so, else a read; returns the JSON that came.
    Ask = Callable[[bool], Awaitable[Any]]

ADD = {"item": "MacBook Pro", "price": 2500, "quantity": 1}
KEYED = {"Idempotency-Key": "k" * 36}
AT_ONCE = 16
LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}


async def shoppers_of_the_lab(stack: AsyncExitStack, url: str, people: int) -> list[Ask]:
    """The lab's own way: aiohttp with its silent retry turned off."""
    door = await stack.enter_async_context(Door(url, connections=AT_ONCE))

    def person() -> Ask:
        someone = door.person()

        async def ask(add: bool) -> Any:  # noqa: FBT001 - two requests, told apart
            key = KEYED["Idempotency-Key"]
            sent = someone.post("/cart/add", ADD, key=key) if add else someone.get("/cart")
            return (await sent).json

        return ask

    return [person() for _ in range(people)]


async def plain_aiohttp(stack: AsyncExitStack, url: str, people: int) -> list[Ask]:
    connector = await stack.enter_async_context(aiohttp.TCPConnector(limit=AT_ONCE))

    async def person() -> Ask:
        jar = aiohttp.CookieJar(unsafe=True)
        session = aiohttp.ClientSession(connector=connector, connector_owner=False, cookie_jar=jar)
        await stack.enter_async_context(session)

        async def ask(add: bool) -> Any:  # noqa: FBT001 - as above
            sent = (
                session.post(url + "/cart/add", json=ADD, headers=KEYED)
                if add
                else session.get(url + "/cart")
            )
            async with sent as answer:
                return await answer.json()

        return ask

    return [await person() for _ in range(people)]


async def plain_httpx(stack: AsyncExitStack, url: str, people: int) -> list[Ask]:
    transport = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=AT_ONCE))
    stack.push_async_callback(transport.aclose)

    def person() -> Ask:
        client = httpx.AsyncClient(transport=transport)

        async def ask(add: bool) -> Any:  # noqa: FBT001 - as above
            sent = (
                client.post(url + "/cart/add", json=ADD, headers=KEYED) if add else client.get(url + "/cart")
            )
            return (await sent).json()

        return ask

    return [person() for _ in range(people)]


CLIENTS = {"shoppers": shoppers_of_the_lab, "aiohttp": plain_aiohttp, "httpx": plain_httpx}


async def measure(client: str, url: str, requests: int, people: int) -> dict[str, float]:
    async with AsyncExitStack() as stack:
        crowd = await CLIENTS[client](stack, url, people)
        left = iter(range(requests))

        async def worker() -> None:
            for number in left:
                await crowd[number % people](number % 3 > 0)

        async with asyncio.TaskGroup() as group:  # first requests, imports and connections are not counted
            for ask in crowd:
                group.create_task(_awaited(ask(False)))  # noqa: FBT003 - a read
        began, cpu = perf_counter(), _cpu()
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(worker())
        spent, took = _cpu() - cpu, perf_counter() - began
    return {
        "us": 1e6 * spent / requests,
        "rate": requests / took,
        "mb": getrusage(RUSAGE_SELF).ru_maxrss / 1024,
    }


async def _awaited(awaitable: Awaitable[Any]) -> None:
    await awaitable


def _cpu() -> float:
    usage = getrusage(RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


async def serve() -> None:
    async def answer(request: web.Request) -> web.Response:
        await request.read()
        reply = web.json_response({"serverId": "s", "sessionId": "x" * 12, "cart": [ADD] * 3, "total": 7500})
        reply.set_cookie("cart_sid", "c" * 86, httponly=True, samesite="Lax")
        return reply

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    print(f"http://{host}:{port}", flush=True)  # noqa: T201 - the port is read back
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)  # until the parent is gone


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--requests", type=int, default=6000)
    parser.add_argument("--people", type=int, default=300)
    parser.add_argument("--one", nargs=3, metavar=("CLIENT", "LOOP", "URL"), help=argparse.SUPPRESS)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve())
    elif options.one:
        client, loop, url = options.one
        with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
            print(json.dumps(runner.run(measure(client, url, options.requests, options.people))))  # noqa: T201
    else:
        compare(options.requests, options.people)


def compare(requests: int, people: int) -> None:
    me = [sys.executable, __file__]
    print(f"{requests} requests of {people} people, {AT_ONCE} at once, CPU of the client alone")  # noqa: T201
    print(f"{'client':10} {'loop':8} {'us/request':>10} {'requests/s':>10} {'MB':>6}")  # noqa: T201
    with subprocess.Popen(
        [*me, "--serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        url = server.stdout.readline().strip() if server.stdout else ""
        for client in CLIENTS:
            for loop in LOOPS:
                one = [*me, "--requests", str(requests), "--people", str(people), "--one", client, loop, url]
                figures = json.loads(subprocess.check_output(one, text=True))
                print(  # noqa: T201
                    f"{client:10} {loop:8} {figures['us']:10.0f} {figures['rate']:10.0f} {figures['mb']:6.0f}"
                )
        if server.stdin:
            server.stdin.close()


if __name__ == "__main__":
    main()
