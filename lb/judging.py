"""A balancer that ejects outliers. A class of its own: who does not ask for it pays nothing."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from lb.balancer import Balancer
from lb.outlier import Limits, Outliers

if TYPE_CHECKING:
    from lb.events import Events
    from lb.health import Result
    from lb.log import RequestLog
    from lb.pool import Server
    from lb.response import ResponseHead
    from lb.route import Route, Routing
    from lb.settings import Settings


def limits_of(settings: Settings) -> Limits:
    return Limits(
        settings.outlier_consecutive_5xx,
        settings.outlier_consecutive_gateway_failure,
        settings.outlier_base_ejection_time,
        settings.outlier_max_ejection_time,
        settings.outlier_max_ejection_percent,
    )


class JudgingBalancer(Balancer):
    def __init__(
        self, settings: Settings, routing: Routing, events: Events, log: RequestLog | None = None
    ) -> None:
        super().__init__(settings, routing, events, log)
        self._outliers = Outliers(limits_of(settings), routing.pool)

    def on_answer(self, route: Route, server: Server, head: ResponseHead, now: float) -> tuple[bytes, bytes]:
        self.tell(self._outliers.on_answer(server, head.status, now))
        return super().on_answer(route, server, head, now)

    def suspect(self, server: Server, result: Result | None) -> None:
        self.tell(self._outliers.on_failure(server, monotonic()))
        super().suspect(server, result)

    def on_tick(self, now: float) -> None:
        super().on_tick(now)
        for change in self._outliers.go_on(now):
            self.tell(change)
