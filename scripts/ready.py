# noqa: INP001 - a program, not a package
"""Health check of a container: ``ready.py NAME [PATH]`` asks the address in the environment's NAME.

It asks GET /ready unless told another path. Exit code 0 for 200, else 1. It runs every other second in
every container, so it loads next to nothing.
"""

import os
import socket
import sys

path = "".join(sys.argv[2:]) or "/ready"
host, _, port = os.environ[sys.argv[1]].rpartition(":")
with socket.create_connection((host, int(port)), timeout=1) as connection:
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    status = connection.makefile("rb").readline().split()[1:2]
sys.exit(status != [b"200"])
