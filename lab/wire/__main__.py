"""``python -m lab.wire --control PATH``: one proxy, until SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
from random import Random

from lab.wire.control import Control


async def serve(path: str, seed: int) -> None:
    control = Control(Random(seed))  # noqa: S311 - jitter, no secrets
    over = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, over.set)
    server = await asyncio.start_unix_server(control.serve, path)
    said = {"event": "listening", "program": "wire", "control": path, "pid": os.getpid()}
    sys.stdout.write(f"{json.dumps(said)}\n")
    sys.stdout.flush()
    await over.wait()
    server.close()
    control.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m lab.wire", description=__doc__)
    parser.add_argument("--control", required=True, metavar="PATH", help="Of the socket that it is told by.")
    parser.add_argument("--seed", type=int, default=0, help="Of the jitter's dice.")
    given = parser.parse_args()
    asyncio.run(serve(given.control, given.seed))


if __name__ == "__main__":
    main()
