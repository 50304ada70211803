"""The sweeper: what the warden is to processes, for containers, which are no children of ours.

``python -m lab.cluster.compose.sweeper RUN REGISTRY LOGS``: its stdin is a pipe whose only write end the
driver holds. A driver that ends in order says a byte first; end-of-file without one means that the
driver is gone, even by ``kill -9``: what the containers said goes into LOGS, and everything that
carries the labels of its run is removed.
It runs in a session of its own, since the warden ends the run's process group.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

_SWEEPS_AT_MOST = 20
#: The engine finishes what it was told to create: look until nothing has come up for two looks.
_QUIET_LOOKS = 2
_LOOK_AGAIN = 0.5


def main(run: str, registry: str, logs: str) -> None:
    for harmless in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(harmless, signal.SIG_IGN)
    if os.read(0, 1):
        return
    # Imported only now: it is most of this process's memory and is needed once, at the end.
    from lab.cluster.compose.engine import connect  # noqa: PLC0415
    from lab.cluster.compose.last_words import save  # noqa: PLC0415
    from lab.cluster.registry import Registry  # noqa: PLC0415
    from lab.cluster.swarm.removal import remove  # noqa: PLC0415

    client = connect()
    save(client, run, registry, Path(logs))
    quiet = 0
    for _ in range(_SWEEPS_AT_MOST):
        quiet = 0 if remove(client, run, Registry(Path(registry))) else quiet + 1
        if quiet == _QUIET_LOOKS:
            return
        time.sleep(_LOOK_AGAIN)


if __name__ == "__main__":
    main(*sys.argv[1:])
