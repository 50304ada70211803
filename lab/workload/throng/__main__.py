"""A shopper process: ``python -m lab.workload.throng --socket PATH``. It does what the driver orders.

It ends with the driver: when its connection does, or by the family's warden.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import uvloop

from lab.workload.throng import orders
from lab.workload.throng.orders import Prepare
from lab.workload.throng.throng import Throng

#: Seconds between two counts.
_TELL_EVERY = 0.2
#: An order carries the whole catalogue.
_LONGEST_ORDER = 1 << 20


@click.command(hidden=True)
@click.option("--socket", type=click.Path(path_type=Path), required=True)
def main(socket: Path) -> None:
    """Listen there for one driver."""
    # Nothing here makes cycles at the pace of requests; the collector would only look at the same
    # cookies again and again.
    gc.freeze()
    gc.set_threshold(50_000, 50, 1000)
    uvloop.run(_serve(socket))


async def _serve(socket: Path) -> None:
    loop = asyncio.get_running_loop()
    over: asyncio.Future[None] = loop.create_future()

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _obey(reader, writer)
        if not over.done():
            over.set_result(None)

    def fail(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        # A shopper who silently stops would keep the whole run waiting.
        if not over.done():
            over.set_exception(context.get("exception") or RuntimeError(context["message"]))

    loop.set_exception_handler(fail)

    server = await asyncio.start_unix_server(meet, socket, limit=_LONGEST_ORDER)
    said = {"event": "listening", "program": "shoppers", "socket": str(socket), "pid": os.getpid()}
    print(json.dumps(said), flush=True)  # noqa: T201 - the line that the driver waits for
    await over
    server.close()


class _Obedience:
    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._throng: Throng | None = None
        self._walking: asyncio.Task[None] | None = None

    async def tell(self) -> None:
        while True:
            await asyncio.sleep(_TELL_EVERY)
            self._tally()

    def carry_out(self, order: dict[str, Any]) -> None:
        """Walking takes time; everything else is done at once."""
        name, throng = order["do"], self._throng
        if name == orders.PREPARE:
            whom = Prepare.of(order["whom"])
            self._throng = Throng(whom, lambda: time.monotonic() - whom.zero)
            self._done(name)
        elif throng is None:
            raise ValueError(f"{name!r} was ordered before {orders.PREPARE!r}")
        elif name == orders.WRITE:
            if self._walking:
                self._walking.cancel()
            throng.cut_short()
            throng.write(Path(order["path"]))
            self._done(name)
        else:
            walks = {
                orders.FILL: throng.fill,
                orders.COME_BACK: throng.come_back,
                orders.READ_BACK: lambda: throng.read_back(order["within"]),
            }
            self._walking = asyncio.create_task(self._walk(name, walks[name]))

    async def _walk(self, name: str, walk: Any) -> None:
        await walk()
        self._done(name)

    def _done(self, name: str) -> None:
        self._tally()
        self._writer.write(orders.line({"done": name}))

    def _tally(self) -> None:
        if self._throng:
            self._writer.write(orders.line({"tally": asdict(self._throng.counting.tally)}))


async def _obey(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    obedience = _Obedience(writer)
    telling = asyncio.create_task(obedience.tell())
    try:
        while order := await reader.readline():
            obedience.carry_out(json.loads(order))
    except ConnectionError:
        pass  # the driver is gone
    finally:
        telling.cancel()
        writer.close()


if __name__ == "__main__":
    sys.exit(main())
