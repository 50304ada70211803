"""Names of servers, looked up so that one which is gone cannot hold up the others.

A resolver may take ten seconds to say that it does not know a name: that of a stopped container, where
no resolver further up can be reached. Each look-up holds one of the loop's few threads all that time, and
a server that is down is asked for twice a second. So whoever asks for a name that is being looked up
waits for that one look-up, which nobody's impatience cancels.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket


class Names:
    def __init__(self) -> None:
        self._asked: dict[str, asyncio.Task[None]] = {}

    async def check(self, host: str) -> None:
        """Return when ``host`` is known, at once for an IP address; raise OSError when it is not."""
        if _is_address(host):
            return
        asked = self._asked.get(host)
        if asked is None:
            asked = asyncio.get_running_loop().create_task(_look_up(host))
            self._asked[host] = asked
            asked.add_done_callback(lambda task: self._end(host, task))
        await asyncio.shield(asked)

    def _end(self, host: str, task: asyncio.Task[None]) -> None:
        del self._asked[host]
        if not task.cancelled():
            task.exception()  # seen, even where everybody who asked has left


async def _look_up(host: str) -> None:
    await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
