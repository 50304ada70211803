"""The warden: a tiny process that ends a whole run when its driver is gone, however it went.

Started by path (``python -I -S warden.py FOLDER ...``) as the leader of its own process group;
every other child of the run joins that group. Its stdin is a pipe whose only write end the driver
holds, so end-of-file means that the driver is gone, even by ``kill -9``. It works because

* the kernel closes a dead process's pipes: there is nothing to poll and no moment to miss;
* a child that is forked but has not yet exec'd still holds the pipe open, so end-of-file
  cannot come before that child has joined the group;
* SIGKILL ends stopped processes too, which no other signal does.

The order matters: first everybody is killed, then the folders are removed, so that nobody is
left who could put a socket back. For that the removal moves to a process outside the group.
"""

import os
import signal
import sys


def main(folders: list[str]) -> None:
    # A group whose members are stopped gets SIGHUP from the kernel when the driver dies, because it
    # is then orphaned: just the moment at which the warden has to stay.
    for harmless in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(harmless, signal.SIG_IGN)
    while os.read(0, 64):
        pass
    group = os.getpgrp()
    if os.fork() == 0:
        os.setpgid(0, 0)
        os.killpg(group, signal.SIGKILL)
        remove(folders)
        os._exit(0)
    signal.pause()


def remove(folders: list[str]) -> None:
    # Imported only now: it is a third of this process's memory and is needed once, at the end.
    import shutil  # noqa: PLC0415

    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1:])
