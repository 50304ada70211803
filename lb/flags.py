"""The flags of ``python -m lb`` that are settings one to one, and what ``--help`` says about them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import click

from lb.balance import ALGORITHMS
from lb.failover import Failover
from lb.hashing import TABLES
from lb.settings import COOKIE_VALUES, MODES, Settings

if TYPE_CHECKING:
    from collections.abc import Callable

_CHOICES = {
    "sticky": MODES,
    "cookie_value": COOKIE_VALUES,
    "hash_type": tuple(TABLES),
    "balance": tuple(ALGORITHMS),
    "failover": tuple(word.value for word in Failover),
}

#: setting: what --help says about it. Type and default are those of Settings.
_HELP = {
    "workers": "Processes that share the port; each has its own checks, counters and admin port.",
    "allbackups": "Use all backups together, not only the first that is well.",
    "resolve_interval": "Seconds between look-ups of each name to discover.",
    "resolve_hold": "Seconds that its servers are kept while it cannot be looked up.",
    "discover_drain": "Seconds that a server is drained at most when its address has vanished.",
    "sticky": "What ties a session to a server.",
    "sticky_cookie": "The application's session cookie.",
    "hash_type": "How hash finds a key's server; mod is the bad one, for the lesson.",
    "hash_key": "What hash hashes: cookie (the application's), address, or header:NAME.",
    "hash_balance_factor": "Percent of its share that a server gets at most; 0: no bound.",
    "session_ttl": "Seconds that a learned session lives after its last use.",
    "table_size": "Most learned sessions; the oldest goes first.",
    "cookie_name": "The balancer's own cookie, for cookie.",
    "cookie_value": "What it says: the server's name, or an HMAC of it with LB_COOKIE_SECRET.",
    "cookie_secure": "Mark it Secure: clients come through HTTPS.",
    "cookie_preserve": "A server may set it too, and then it is right.",
    "max_age": "Seconds that a client keeps it; 0: until it is closed.",
    "maxidle": "Seconds without a request that end it; 0: no limit.",
    "maxlife": "Seconds after its first request that end it; 0: no limit.",
    "balance": "Who takes an untied request.",
    "prefer_backup": "Fail over to who an answer named in X-Session-Backup; for learn.",
    "failover": "What a tied request does without its server.",
    "check_path": "What a healthy server answers with 2xx or 3xx.",
    "inter": "Seconds between checks.",
    "fastinter": "The same while a server is not settled.",
    "downinter": "The same while it is down.",
    "outlier_consecutive_5xx": "Answers of 5xx in a row that eject a server; 0: never.",
    "outlier_consecutive_gateway_failure": "The same of 502, 503, 504 and failed connections.",
    "outlier_base_ejection_time": "Seconds that the first ejection lasts; the n-th n times as long.",
    "outlier_max_ejection_time": "Seconds that any ejection lasts at most.",
    "outlier_max_ejection_percent": "Percent of the servers that may be out at once; one always may.",
    "slowstart": "Seconds in which a server that came up gets its whole weight; 0: at once.",
    "rise": "Successes in a row that bring a server up.",
    "fall": "Failures in a row that take it down.",
    "check_timeout": "Seconds a check may take.",
    "retries": "Further servers that a failed request may be sent to.",
    "retry_keyed": "A request with an Idempotency-Key may be sent twice.",
    "retry_budget": "Percent of the requests of the last 10 s that may be tried again; 0: no bound.",
    "replay_limit": "Bytes of a request, head and body, that are kept to send it again.",
    "maxconn": "Most requests on a server at once, others wait; 0: no limit.",
    "maxqueue": "Most that wait for the server they are tied to, others leave it; 0: no limit.",
    "queue_timeout": "Seconds that a request waits for a server with room.",
    "request_timeout": "Seconds from a request to its answer, all tries together; 0: no limit.",
    "log": "File for one JSON line a request; - for standard error; off unless given.",
    "lab_headers": "Say in X-Lab-* fields who answered.",
    "connect_timeout": "Seconds for a connection to a server.",
    "response_timeout": "Seconds for the head of a server's answer.",
    "body_timeout": "Seconds without a byte of a body.",
    "head_timeout": "Seconds for the whole head of a request.",
    "keepalive_timeout": "Seconds between the requests of a connection.",
    "tunnel_timeout": "Seconds without a byte of a WebSocket, either way.",
    "server_idle_timeout": "Seconds that an unused connection to a server is kept.",
    "hard_stop_after": "Seconds that a stop waits for what is in flight.",
}


def with_settings(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give ``command`` one flag for each line of ``_HELP``."""
    defaults = {field.name: field.default for field in dataclasses.fields(Settings)}
    for name, text in reversed(_HELP.items()):
        flag, default = "--" + name.replace("_", "-"), defaults[name]
        if name in _CHOICES:
            option = click.option(flag, type=click.Choice(_CHOICES[name]), default=str(default), help=text)
        elif isinstance(default, bool):
            option = click.option(flag, is_flag=True, default=default, help=text)
        else:
            option = click.option(flag, type=type(default), default=default, help=text)
        command = option(command)
    return command
