"""HTTP below the application: what cannot be parsed, or has no end, is refused in our own words.

uvicorn answers such requests itself, before any application is asked; here they get the same
shape and the same headers as every other answer. A head is also bounded, which uvicorn leaves to
the proxy in front.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from services.cart.envelope import HANG_UP

#: Of one request's line and headers, beyond the bytes that they began with.
HEAD_MAX = 64 * 1024


class Wire(HttpToolsProtocol):
    served_by: ClassVar[str] = ""
    _is_in_head = False
    _head_bytes = 0

    def data_received(self, data: bytes) -> None:
        was_in_head = self._is_in_head
        super().data_received(data)
        if not (was_in_head and self._is_in_head) or self.transport.is_closing():
            return
        self._head_bytes += len(data)
        if self._head_bytes > HEAD_MAX:
            self._refuse(
                HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
                "head_too_large",
                f"The request's head is larger than {HEAD_MAX} bytes and has not ended.",
            )

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {HANG_UP: self.transport.close}  # type: ignore[dict-item]  # a call of our own
        self._is_in_head = True
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._is_in_head = False

    def send_400_response(self, msg: str) -> None:
        self._refuse(
            HTTPStatus.BAD_REQUEST,
            "not_http",
            f"{msg} Expected HTTP/1.1, such as: GET /cart HTTP/1.1, then a Host header and an empty line.",
        )

    def _refuse(self, status: HTTPStatus, code: str, message: str) -> None:
        body = json.dumps({"error": code, "message": message}).encode()
        head = [
            f"HTTP/1.1 {status.value} {status.phrase}",
            "content-type: application/json",
            f"content-length: {len(body)}",
            f"x-served-by: {self.served_by}",
            "x-session-origin: none",
            "connection: close",
        ]
        self.transport.write("\r\n".join([*head, "", ""]).encode() + body)
        self.transport.close()


def of(server_id: str) -> type[Wire]:
    return type("Wire", (Wire,), {"served_by": server_id})
