"""A way from this machine's loopback to a port on the loopback of a container, and for nobody else.

Swarm publishes on every address of the node or not at all, and the admin API has no password. So it
stays on the container's own loopback, and each connection to it is carried by ``docker exec``.
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from lab.cluster.loopback import LOOPBACK
from lab.cluster.ports import Address

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_ENDS_WITHIN = 5.0
#: In the container: what comes in goes to the port, what the port says goes out, until either ends.
_RELAY = """
import os, socket, sys, threading
port = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
def out():
    while data := port.recv(65536):
        os.write(1, data)
    os._exit(0)
threading.Thread(target=out, daemon=True).start()
while data := os.read(0, 65536):
    port.sendall(data)
"""


@asynccontextmanager
async def tunnel(container: str, port: int) -> AsyncIterator[Address]:
    """The address on this machine that leads there, for as long as the block lasts."""
    carriers: list[subprocess.Popen[bytes]] = []
    with socket.create_server((LOOPBACK, 0)) as door:
        door.settimeout(0)
        accepting = asyncio.create_task(_accept(door, container, port, carriers))
        try:
            yield Address(*door.getsockname())
        finally:
            accepting.cancel()
            with suppress(asyncio.CancelledError):
                await accepting
            for carrier in carriers:
                carrier.terminate()
            await asyncio.to_thread(_reap, carriers)


async def _accept(
    door: socket.socket, container: str, port: int, carriers: list[subprocess.Popen[bytes]]
) -> None:
    """The command is given the connection itself, and ends with it, also when the driver is killed."""
    words = ("docker", "exec", "--interactive", container, "python3", "-IS", "-c", _RELAY, str(port))
    while True:
        connection, _ = await asyncio.get_running_loop().sock_accept(door)
        with connection:
            connection.settimeout(None)
            carriers.append(
                subprocess.Popen(  # noqa: ASYNC220 - a millisecond, and then it is nobody's to wait for
                    words,
                    stdin=connection.fileno(),
                    stdout=connection.fileno(),
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,  # so that Ctrl-C reaches the driver alone
                )
            )


def _reap(carriers: list[subprocess.Popen[bytes]]) -> None:
    for carrier in carriers:
        try:
            carrier.wait(_ENDS_WITHIN)
        except subprocess.TimeoutExpired:
            carrier.kill()
            carrier.wait()
