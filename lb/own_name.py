"""The name of an address to listen on, which may be known only a moment after the program has begun.

A container engine announces a container's names beside starting it, and on a busy machine a program may
ask for its own first. It then hears that there is no such name, or nothing at all.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from time import monotonic
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from lb.pool import Address

WAITS_AT_MOST: Final = 10.0
_LOOK_AGAIN: Final = 0.1
#: No such name; no answer; and on some systems, a name without an address.
_NOT_KNOWN_YET: Final = (socket.EAI_NONAME, socket.EAI_AGAIN, getattr(socket, "EAI_NODATA", None))


async def until_known(address: Address, within: float = WAITS_AT_MOST) -> None:
    """Return when the name of ``address`` is known; after ``within`` seconds, with what a look-up says."""
    loop, end, is_waiting = asyncio.get_running_loop(), monotonic() + within, False
    while True:
        try:
            await loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
        except socket.gaierror as error:
            if error.errno not in _NOT_KNOWN_YET or monotonic() > end:
                raise
        else:
            return
        if not is_waiting:
            is_waiting = True
            sys.stderr.write(f"lb: {address.host} is not known yet; waiting up to {within:g} s for it\n")
        await asyncio.sleep(_LOOK_AGAIN)
