"""What a balancer in front of the shop is told, whichever program it is. Pure.

The defaults are those of the lab's own balancer, so that what is exported behaves like what was seen.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from lab.errors import UsageProblem

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,62}")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_MAX_PORT = 65_535
_MOST_SERVERS = 100


@dataclass(frozen=True, slots=True)
class Backend:
    name: str
    host: str
    port: int

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def is_named(self) -> bool:
        """Whether ``host`` is a name that somebody must look up."""
        return not re.fullmatch(r"[\d.]+", self.host)


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """Durations are seconds, words the balancer's. ``is_tied``: a shopper stays with one server.

    ``cookie`` is the application's own, ``tie_cookie`` the one that a balancer sets which cannot learn
    from the application's. What follows ``lab_headers`` is for a balancer that the lab itself runs.
    """

    is_tied: bool
    servers: tuple[Backend, ...]
    host: str = "0.0.0.0"
    port: int = 8080
    cookie: str = "cart_sid"
    tie_cookie: str = "cart_server"
    session_ttl: float = 600.0
    table_size: int = 1_000_000
    check_path: str = "/ready"
    inter: float = 0.5
    fastinter: float = 0.1
    downinter: float = 0.5
    rise: int = 1
    fall: int = 2
    check_timeout: float = 0.5
    retries: int = 3
    retry_keyed: bool = True
    connect_timeout: float = 1.0
    head_timeout: float = 10.0
    keepalive_timeout: float = 60.0
    response_timeout: float = 30.0
    body_timeout: float = 30.0
    hard_stop_after: float = 30.0
    lab_headers: bool = False
    listening_on: int | None = None
    folder: str = ""


def example_servers(count: int) -> tuple[Backend, ...]:
    return tuple(Backend(f"server-{n}", "127.0.0.1", 9000 + n) for n in range(1, count + 1))


def read_servers(text: str) -> tuple[Backend, ...]:
    """``3``, or ``NAME=HOST:PORT,...``."""
    if text.isascii() and text.isdecimal():
        if not 1 <= int(text) <= _MOST_SERVERS:
            raise UsageProblem(f"--servers {text} was given; 1 to {_MOST_SERVERS} were expected.")
        return example_servers(int(text))
    servers = tuple(_backend(part.strip()) for part in text.split(",") if part.strip())
    names = [server.name for server in servers]
    if not names or len(set(names)) != len(names):
        raise UsageProblem(f"--servers {text!r} was given; different names were expected, as in {_EXAMPLE}.")
    return servers


_EXAMPLE = "a=10.0.0.1:9001,b=10.0.0.2:9001"


def _backend(text: str) -> Backend:
    name, _, address = text.partition("=")
    host, _, port = address.rpartition(":")
    is_port = port.isascii() and port.isdecimal() and 1 <= int(port) <= _MAX_PORT
    # Checked strictly: they are put into configurations of programs that run as root.
    if not (_NAME.fullmatch(name) and _HOST.fullmatch(host) and is_port):
        raise UsageProblem(
            f"--servers has {text!r}; a number was expected, or NAME=HOST:PORT with a name of letters, "
            f"digits and dashes and an IPv4 address or host name, as in {_EXAMPLE}."
        )
    return Backend(name, host, int(port))
