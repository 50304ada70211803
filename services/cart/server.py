"""One process: a socket, an event loop, and a stop that loses no answer.

The first SIGTERM (or Ctrl-C) closes nothing yet: /ready says no, so that a balancer looks away,
and what still comes is answered, each answer asking for its connection to be closed. After
``drain`` seconds the listener closes, what is in flight is finished, and the process exits with 0.
A second signal skips the wait; a third does not wait for anything.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
from typing import TYPE_CHECKING, Any

import uvicorn

from services.cart import wire
from services.cart.app import create_app

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from services.cart.config import Config
    from services.cart.health import Readiness

_log = logging.getLogger(__name__)
_BACKLOG = 2_048
#: Longer than balancers keep an idle connection, so that they close it, and never send into a close.
_KEEP_ALIVE_SECONDS = 75
#: For requests that do not end by themselves once the listener is closed.
_LAST_WAIT_SECONDS = 10


class CartServer(uvicorn.Server):
    def __init__(self, config: Config) -> None:
        app = create_app(config)
        super().__init__(
            uvicorn.Config(
                app,
                http=wire.of(config.server_id),
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                backlog=_BACKLOG,
                timeout_keep_alive=_KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=_LAST_WAIT_SECONDS,
            )
        )
        self._cart = config
        self._app = app
        self._readiness: Readiness = app.state.readiness

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and sockets:
            _announce(self._cart.server_id, sockets[0], self._app.state.announced)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Replaces uvicorn's own, which sends itself the signal again: a clean stop would not exit 0."""
        loop = asyncio.get_running_loop()
        handled = (signal.SIGTERM, signal.SIGINT)
        for number in handled:
            loop.add_signal_handler(number, self.stop)
        try:
            yield
        finally:
            for number in handled:
                loop.remove_signal_handler(number)
                signal.signal(number, signal.SIG_IGN)  # it is leaving already

    def stop(self) -> None:
        if not self._readiness.is_draining:
            _log.info("draining: not ready, closing in %g s", self._cart.drain)
            self._readiness.is_draining = True
            asyncio.get_running_loop().call_later(self._cart.drain, self._close)
        elif not self.should_exit:
            self._close()
        else:
            self.force_exit = True

    def _close(self) -> None:
        self.should_exit = True


def _announce(name: str, sock: socket.socket, more: dict[str, Any]) -> None:
    host, port = sock.getsockname()[:2]
    line: dict[str, Any] = {
        "event": "listening",
        "program": "cart",
        "id": name,
        "host": host,
        "port": port,
        "pid": os.getpid(),
    } | more
    print(json.dumps(line, separators=(",", ":")), flush=True)  # noqa: T201 - who started us reads it
