"""The server does what its own OpenAPI says: no 500, and no answer that is not described there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.result import Ok

from services.cart.app import create_app
from services.cart.config import Config

if TYPE_CHECKING:
    from schemathesis import Case

load_all_checks()
#: Left out: those that expect a false Content-Type or an unknown member to be refused. The classic
#: clients of this lesson send both.
_CHECKS: list[Any] = [
    CHECKS.get_one(f"{name}_conformance")
    for name in ("status_code", "content_type", "response_headers", "response_schema")
] + [CHECKS.get_one("not_a_server_error")]


def test_every_answer_is_one_that_openapi_describes() -> None:
    schema = schemathesis.openapi.from_asgi("/openapi.json", create_app(Config()))
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    seen = set()

    @given(st.one_of([operation.as_strategy() for operation in operations]))
    @settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
    def ask(case: Case[Any]) -> None:
        seen.add(case.operation.label)
        case.call_and_validate(checks=_CHECKS)

    ask()
    assert seen == {operation.label for operation in operations}
