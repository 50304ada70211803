"""All that an operator can choose, checked once, with the allowed range in each refusal."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import TYPE_CHECKING

from lb.failover import Failover
from lb.pool import Address

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from ipaddress import IPv4Network, IPv6Network

#: What can tie a session to a server.
MODES = ("none", "learn", "cookie", "hash")

#: What the balancer's own cookie says.
COOKIE_VALUES = ("plain", "opaque")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_COOKIE = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_HASH_KEY = re.compile(r"cookie|address|header:" + _COOKIE.pattern)
_PATH = re.compile(r"/[\x21-\x7e]*")
_MAX_PORT = 65535


class BadSetting(ValueError):
    """A setting that cannot be; the message says what could."""


def address_of(text: str) -> Address:
    """``HOST:PORT`` or ``[IPV6]:PORT``."""
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]\s]+)):(\d{1,5})", text)
    if match is None or int(match[3]) > _MAX_PORT:
        raise BadSetting(f"{text!r} is no address; expected HOST:PORT with a port of at most {_MAX_PORT}")
    return Address(match[1] or match[2], int(match[3]))


def servers_of(texts: Iterable[str]) -> dict[str, Address]:
    """``NAME=HOST:PORT`` each; names are identities, so no name comes twice."""
    servers: dict[str, Address] = {}
    for text in texts:
        name, equals, address = text.partition("=")
        if not equals:
            raise BadSetting(f"{text!r} is no server; expected NAME=HOST:PORT, like s1=127.0.0.1:9001")
        check_name(name)
        if name in servers:
            raise BadSetting(f"two servers are called {name}; a name is an identity and must be unique")
        servers[name] = address_of(address)
    return servers


def names_of(texts: Iterable[str]) -> dict[str, Address]:
    """``NAME=HOST:PORT`` each, where HOST is to be looked up; members are called NAME and their address."""
    names = servers_of(texts)
    for name in names:
        if len(name) > _LONGEST_PREFIX:
            raise BadSetting(
                f"{name} is too long to be put before addresses; at most {_LONGEST_PREFIX} characters"
            )
    return names


def networks_of(texts: Iterable[str]) -> tuple[IPv4Network | IPv6Network, ...]:
    """``10.0.0.0/8``, ``fd00::/8`` or a single address each."""
    try:
        return tuple(ip_network(text) for text in texts)
    except ValueError as error:
        raise BadSetting(f"{error}; expected a network like 10.0.0.0/8 or fd00::/8") from error


def check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise BadSetting(f"{name!r} is no server name; expected letters, digits, dot, dash or underscore")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Durations are seconds. ``replay_limit`` bounds what is kept of a request to send it again;
    ``most_idle`` the kept-alive connections to each server; ``table_size`` the learned sessions. In
    the cookie's three lifetimes 0 is no limit.
    """

    listen: Address
    admin: Address | None = None
    workers: int = 1
    trust: Sequence[IPv4Network | IPv6Network] = ()
    servers: dict[str, Address] = field(default_factory=dict)
    backups: dict[str, Address] = field(default_factory=dict)
    allbackups: bool = False
    discover: dict[str, Address] = field(default_factory=dict)
    resolve_interval: float = 1.0
    resolve_hold: float = 30.0
    discover_drain: float = 30.0
    sticky: str = "none"
    sticky_cookie: str = "cart_sid"
    cookie_name: str = "LABSRV"
    cookie_value: str = "plain"
    cookie_secret: str = ""
    cookie_secure: bool = False
    cookie_preserve: bool = False
    max_age: int = 0
    maxidle: int = 0
    maxlife: int = 0
    hash_type: str = "rendezvous"
    hash_key: str = "cookie"
    hash_balance_factor: int = 0
    session_ttl: float = 600.0
    table_size: int = 1_000_000
    balance: str = "roundrobin"
    failover: Failover = Failover.REBALANCE
    prefer_backup: bool = False
    check_path: str = "/ready"
    inter: float = 0.5
    fastinter: float = 0.1
    downinter: float = 0.5
    slowstart: float = 0.0
    outlier_consecutive_5xx: int = 0
    outlier_consecutive_gateway_failure: int = 0
    outlier_base_ejection_time: float = 30.0
    outlier_max_ejection_time: float = 300.0
    outlier_max_ejection_percent: int = 10
    rise: int = 1
    fall: int = 2
    check_timeout: float = 0.5
    retries: int = 3
    retry_keyed: bool = False
    retry_budget: int = 0
    replay_limit: int = 64 * 1024
    maxconn: int = 0
    maxqueue: int = 0
    queue_timeout: float = 1.0
    request_timeout: float = 0.0
    lab_headers: bool = False
    log: str = ""
    connect_timeout: float = 1.0
    head_timeout: float = 10.0
    keepalive_timeout: float = 60.0
    response_timeout: float = 30.0
    body_timeout: float = 30.0
    tunnel_timeout: float = 3600.0
    server_idle_timeout: float = 4.0
    most_idle: int = 128
    hard_stop_after: float = 30.0

    def __post_init__(self) -> None:
        self._check_durations()
        for name, least in _COUNTS.items():
            value = getattr(self, name)
            if value < least:
                raise BadSetting(f"{name} is {value}; expected at least {least}")
        self._check_workers()
        self._check_cookies()
        if twice := sorted(self.servers.keys() & self.backups.keys()):
            raise BadSetting(f"{twice[0]} is a server and a backup; a name is an identity and must be unique")
        if not _HASH_KEY.fullmatch(self.hash_key):
            raise BadSetting(f"{self.hash_key!r} is nothing to hash; expected cookie, address or header:NAME")
        if 0 < self.hash_balance_factor <= _FAIR_SHARE:
            raise BadSetting(
                f"hash_balance_factor is {self.hash_balance_factor} %; expected more than {_FAIR_SHARE}, "
                "like 125, or 0 for no bound"
            )
        if not _PATH.fullmatch(self.check_path):
            raise BadSetting(f"{self.check_path!r} is no path; expected one like /ready")

    def _check_durations(self) -> None:
        for name in _DURATIONS:
            value = getattr(self, name)
            if not 0 < value <= _LONGEST:
                raise BadSetting(f"{name} is {value:g} s; expected more than 0 and at most {_LONGEST} s")
        for name in ("slowstart", "request_timeout"):
            value = getattr(self, name)
            if not 0 <= value <= _LONGEST:
                raise BadSetting(f"{name} is {value:g} s; expected 0 for none, at most {_LONGEST} s")

    def _check_workers(self) -> None:
        if not 1 <= self.workers <= _MOST_WORKERS:
            raise BadSetting(f"workers is {self.workers}; expected 1 to {_MOST_WORKERS}")
        if self.workers > 1 and self.sticky == "learn":
            raise BadSetting(
                "learn keeps its ties in the memory of one process: with more workers a session would be "
                "known to one of them and a stranger to the others. Take cookie, hash or one worker"
            )
        if self.admin is not None and self.admin.port + self.workers - 1 > _MAX_PORT:
            raise BadSetting(
                f"each worker has an admin port of its own, and {self.admin.port} is too high for that"
            )

    def _check_cookies(self) -> None:
        if self.prefer_backup and self.sticky != "learn":
            raise BadSetting(
                f"prefer_backup keeps names of backups beside the ties of learn; sticky is {self.sticky}: "
                "take learn, or leave it out"
            )
        for name in (self.sticky_cookie, self.cookie_name):
            if not _COOKIE.fullmatch(name):
                raise BadSetting(f"{name!r} is no cookie name")
        if self.sticky_cookie == self.cookie_name:
            raise BadSetting(
                f"the balancer's cookie and the application's are both called {self.cookie_name}"
            )
        if self.cookie_value == "opaque" and len(self.cookie_secret) < _SHORTEST_SECRET:
            raise BadSetting(
                f"an opaque cookie needs LB_COOKIE_SECRET in the environment, at least {_SHORTEST_SECRET} "
                f"characters and the same on every balancer; got {len(self.cookie_secret)}"
            )


_LONGEST = 86_400
_LONGEST_PREFIX = 24
_FAIR_SHARE = 100
_MOST_WORKERS = 256
_SHORTEST_SECRET = 16
_DURATIONS = (
    "session_ttl", "inter", "fastinter", "downinter", "check_timeout", "connect_timeout", "head_timeout",
    "keepalive_timeout", "response_timeout", "body_timeout", "queue_timeout", "server_idle_timeout",
    "tunnel_timeout", "hard_stop_after", "resolve_interval", "resolve_hold", "discover_drain",
    "outlier_base_ejection_time", "outlier_max_ejection_time",
)  # fmt: skip
_COUNTS = {
    "rise": 1, "fall": 1, "retries": 0, "replay_limit": 0, "most_idle": 0, "table_size": 1, "max_age": 0,
    "maxidle": 0, "maxlife": 0, "hash_balance_factor": 0, "retry_budget": 0, "maxconn": 0, "maxqueue": 0,
    "outlier_consecutive_5xx": 0, "outlier_consecutive_gateway_failure": 0,
    "outlier_max_ejection_percent": 0,
}  # fmt: skip
