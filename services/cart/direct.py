"""Routes whose endpoint takes the request and answers it: FastAPI, with nothing to be solved.

FastAPI prepares arguments, dependencies and an answer's model for every request. The endpoints of
the cart read their request and build their answer themselves, so that work, a good part of what a
request costs, comes to nothing. They are described in the OpenAPI document as any others are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi.routing import APIRoute

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from fastapi import Request, Response


class Direct(APIRoute):
    """FastAPI's own place to change how a route is handled. Endpoints take a request and nothing else."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        if self.dependant.dependencies or self.body_field or self.dependant.request_param_name is None:
            raise TypeError(f"{self.path} wants arguments that nobody prepares; expected (request) alone")
        endpoint: Callable[[Request], Coroutine[Any, Any, Response]] = self.endpoint
        return endpoint
