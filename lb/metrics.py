"""The counters as Prometheus text, in the names of HAProxy's own exporter where it has one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Metric

    from lb.balancer import Balancer
    from lb.pool import Server

_STATES = ("starting", "up", "draining", "maintenance", "down", "ejected", "backup")

#: metric name: (what it counts, field of ServerCounters)
_SERVER_COUNTERS = {
    "haproxy_server_connection_attempts": ("Connections opened to the server", "connect"),
    "haproxy_server_connection_reuses": ("Requests sent on a kept connection", "reuse"),
    "haproxy_server_connection_errors": ("Connections that could not be opened", "econ"),
    "haproxy_server_response_errors": ("Answers that failed", "eresp"),
    "haproxy_server_retry_warnings": ("Requests sent again to the same server", "wretr"),
    "haproxy_server_redispatch_warnings": ("Requests sent on to another server", "wredis"),
    "haproxy_server_client_aborts": ("Transfers cut by the client", "cli_abrt"),
    "haproxy_server_server_aborts": ("Transfers cut by the server", "srv_abrt"),
    "haproxy_server_check_failures": ("Failed checks", "chkfail"),
    "haproxy_server_check_up_down": ("Times the server went down", "chkdown"),
}


def exposition(balancer: Balancer) -> tuple[bytes, str]:
    """The text and its content type; rendered only now, when somebody asks."""
    registry = CollectorRegistry()
    registry.register(_Counted(balancer))
    return generate_latest(registry), CONTENT_TYPE_LATEST


class _Counted(Collector):
    def __init__(self, balancer: Balancer) -> None:
        self._balancer = balancer

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        servers = list(self._balancer.routing.pool)
        yield from self._front()
        yield from _gauges(servers)
        for name, (text, attribute) in _SERVER_COUNTERS.items():
            counter = CounterMetricFamily(name, text, labels=["server"])
            for server in servers:
                counter.add_metric([server.name], getattr(server.counters, attribute))
            yield counter
        answers = CounterMetricFamily(
            "haproxy_server_http_responses", "Answers by class", labels=["server", "code"]
        )
        for server in servers:
            for number in range(1, 6):
                answers.add_metric([server.name, f"{number}xx"], server.counters.hrsp[number])
        yield answers

    def _front(self) -> Iterator[Metric]:
        counters = self._balancer.counters
        yield CounterMetricFamily("haproxy_frontend_http_requests", "Requests taken", value=counters.requests)
        yield CounterMetricFamily("haproxy_frontend_request_errors", "Bytes refused", value=counters.refused)
        denied = "Retries that the budget did not allow"
        yield CounterMetricFamily("lb_retries_denied", denied, value=counters.retries_denied)
        yield GaugeMetricFamily("haproxy_backend_current_queue", "Untied requests that wait", counters.qcur)
        yield GaugeMetricFamily("haproxy_backend_max_queue", "The most that ever waited", counters.qmax)
        answers = CounterMetricFamily("haproxy_frontend_http_responses", "Answers by class", labels=["code"])
        for number in range(1, 6):
            answers.add_metric([f"{number}xx"], counters.hrsp[number])
        yield answers
        text = "Sessions that another server took over; hash and failover open move none (see the log's --DN)"
        moved = CounterMetricFamily("sessions_moved", text, labels=["from", "to", "cause"])
        for labels, count in counters.moved.items():
            moved.add_metric(labels, count)
        yield moved


def _gauges(servers: list[Server]) -> Iterator[Metric]:
    current = GaugeMetricFamily("haproxy_server_current_sessions", "Requests in flight", labels=["server"])
    tied = GaugeMetricFamily(
        "lb_server_tied_sessions", "Sessions tied by the learned table", labels=["server"]
    )
    weight = GaugeMetricFamily("haproxy_server_weight", "Weight", labels=["server"])
    queued = GaugeMetricFamily("haproxy_server_current_queue", "Tied requests that wait", labels=["server"])
    longest = GaugeMetricFamily("haproxy_server_max_queue", "The most that ever waited", labels=["server"])
    status = GaugeMetricFamily(
        "haproxy_server_status", "1 for the state it is in", labels=["server", "state"]
    )
    requests = CounterMetricFamily(
        "haproxy_server_sessions", "Requests sent to the server", labels=["server"]
    )
    for server in servers:
        current.add_metric([server.name], server.active)
        tied.add_metric([server.name], server.sessions)
        weight.add_metric([server.name], server.weight)
        queued.add_metric([server.name], server.counters.qcur)
        longest.add_metric([server.name], server.counters.qmax)
        requests.add_metric([server.name], server.requests)
        for state in _STATES:
            status.add_metric([server.name, state], int(server.shown == state))
    yield from (current, tied, weight, queued, longest, requests, status)
