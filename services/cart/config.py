"""One cart server's settings: built in one place, refused with the range that is allowed."""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

STRATEGIES = ("memory", "replicated", "write_through", "stateless", "hybrid", "client_cookie", "naive_blob")
ROLLBACKS = ("allow", "refuse")
REPLICATIONS = ("async", "sync")
NEEDS_STORE = frozenset({"write_through", "stateless", "hybrid", "naive_blob"})
MERGES = ("lww", "union", "pn-counter", "or-map")
_LOOPBACK = "127.0.0.1"
_STORE_SCHEMES = ("redis://", "rediss://", "unix://")
_SECRET_MIN = 16
#: Signs cookies where nobody else can connect and no secret was given, so that two servers started
#: by hand understand each other's cookies. Forging one gains nothing: ids cannot be guessed.
LOOPBACK_SECRET = "loopback development only"  # noqa: S105 - refused for any other address
#: Setting -> least and most, in its own unit.
RANGES: Mapping[str, tuple[float, float]] = {
    "listen_port": (0, 65_535),
    "crash_delay": (0, 60),
    "session_ttl": (1, 7 * 86_400),
    "session_max": (1, 30 * 86_400),
    "op_window": (1, 7 * 86_400),
    "drain": (0, 600),
    "store_timeout": (0.01, 60),
    "store_connections": (1, 1_000),
    "replicas": (1, 2),
    "peer_listen_port": (0, 65_535),
    "peer_timeout": (0.05, 60),
    "replication_queue": (1, 1_000_000),
    "repair_rate": (1, 1_000_000),
    "critical_deadline": (0, 60),
    "rebuild_limit": (1, 1_000),
    "rebuild_delay": (0, 60),
    "cookie_max": (200, 4_000),
    "max_sessions": (1, 10_000_000),
}


class BadSetting(ValueError):
    """``name`` is the field; the message says what is allowed."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Durations are seconds."""

    listen_host: str = _LOOPBACK
    listen_port: int = 0
    server_id: str = "server-1"
    strategy: str = "memory"
    store_url: str = ""
    #: Where the URL holds none.
    store_password: str = field(default="", repr=False)
    #: Starts every key, so that sites can share a store.
    store_prefix: str = ""
    #: Bounds a whole store call. Past it the answer is 503, and nobody waits longer.
    store_timeout: float = 1.0
    store_connections: int = 16
    secret: str = field(default=LOOPBACK_SECRET, repr=False)
    #: Secrets of before: cookies that they signed or sealed are still good, and are made no more.
    old_secrets: tuple[str, ...] = field(default=(), repr=False)
    #: replicated: copies on so many other servers; who waits for them; what becomes of two that
    #: went apart; where the other servers knock.
    replicas: int = 1
    replication: str = "async"
    merge: str = "lww"
    peer_listen_host: str = _LOOPBACK
    peer_listen_port: int = 0
    #: For so long another server may be silent before it counts as gone.
    peer_timeout: float = 0.5
    #: async: changes that no other server has yet; beyond it shoppers wait.
    replication_queue: int = 1_000
    #: Sessions that get a lost copy back, a second.
    repair_rate: float = 500
    #: hybrid: bounds a store call instead of ``store_timeout``, where that is longer; 0: as that.
    critical_deadline: float = 0.0
    #: hybrid: sessions rebuilt at a time, and what a rebuild takes beyond the computing.
    rebuild_limit: int = 4
    rebuild_delay: float = 0.0
    #: client_cookie: characters of a sealed cart. Browsers drop what is longer than about 4,096.
    cookie_max: int = 3_900
    #: client_cookie: what becomes of an older cart than the newest that was given out.
    rollback: str = "allow"
    chaos: bool = False
    crash_delay: float = 1.0
    #: A cart that nobody touches for so long expires.
    session_ttl: float = 1_800
    #: A cart older than this expires however often it is touched.
    session_max: float = 86_400
    #: For so long an Idempotency-Key is remembered.
    op_window: float = 600
    #: How long after SIGTERM new requests are still answered, while /ready says no.
    drain: float = 1.0
    max_sessions: int = 500_000

    @property
    def secrets(self) -> tuple[str, ...]:
        """The one that signs first."""
        return (self.secret, *self.old_secrets)

    @property
    def is_loopback(self) -> bool:
        return self.listen_host in (_LOOPBACK, "::1", "localhost")


def build(raw: Mapping[str, Any]) -> Config:
    """``raw`` is what flags and environment gave; None means not given."""
    given = {name: value for name, value in raw.items() if value is not None}
    if listen := given.pop("listen", None):
        given["listen_host"], given["listen_port"] = _host_and_port(listen)
    if listen := given.pop("peer_listen", None):
        given["peer_listen_host"], given["peer_listen_port"] = _host_and_port(listen)
    config = Config(**given)
    _check_ranges(config)
    _check_names(config)
    _check_secret(config)
    return config


def allowed(name: str) -> str:
    least, most = RANGES[name]
    return f"{least} to {most}"


def _host_and_port(listen: str) -> tuple[str, int]:
    host, colon, port = listen.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit():
        raise BadSetting("listen", f"{listen!r} is not HOST:PORT, such as 127.0.0.1:9001 or :0.")
    return host.strip("[]") or _LOOPBACK, int(port)


def _check_ranges(config: Config) -> None:
    for name, (least, most) in RANGES.items():
        value = getattr(config, name)
        if not least <= value <= most:
            raise BadSetting(name, f"{value} is out of range: {allowed(name)}.")


def _check_names(config: Config) -> None:
    if config.strategy not in STRATEGIES:
        near = get_close_matches(config.strategy, STRATEGIES, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise BadSetting(
            "strategy", f"{config.strategy!r} is no strategy; there are {', '.join(STRATEGIES)}.{hint}"
        )
    for name, choices in (("rollback", ROLLBACKS), ("replication", REPLICATIONS), ("merge", MERGES)):
        if getattr(config, name) not in choices:
            raise BadSetting(name, f"{getattr(config, name)!r} is none of {', '.join(choices)}.")
    if config.rollback == "refuse" and not config.store_url:
        raise BadSetting(
            "rollback",
            "refusing an old cart takes a store that knows the newest: name one with --store-url.",
        )
    if config.strategy in NEEDS_STORE and not config.store_url:
        raise BadSetting(
            "store_url",
            f"the strategy {config.strategy} keeps carts in a store: name one, redis://HOST:6379.",
        )
    if config.store_url and not config.store_url.startswith(_STORE_SCHEMES):
        raise BadSetting("store_url", "a store's URL starts with redis://, rediss:// or unix://.")
    if not config.server_id.isascii() or not config.server_id.isprintable() or not config.server_id.strip():
        raise BadSetting(
            "server_id", f"{config.server_id!r} cannot be a header's value: use printable ASCII."
        )


def _check_secret(config: Config) -> None:
    if config.secret == LOOPBACK_SECRET and not config.is_loopback:
        raise BadSetting(
            "secret",
            f"{config.listen_host} is not loopback, so cookies need a secret of their own, the same on "
            "every server of the site: export CART_SECRET=$(openssl rand -hex 32).",
        )
    if min(map(len, config.secrets)) < _SECRET_MIN:
        raise BadSetting("secret", f"a secret has at least {_SECRET_MIN} characters.")
