"""One answer on its way from a server to the client: head and body, framed as the client knows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lb.body import frame
from lb.http1 import CHUNKED, UNTIL_CLOSE
from lb.response import SWITCHING_PROTOCOLS

if TYPE_CHECKING:
    from lb.proxy import Client
    from lb.request import RequestHead
    from lb.response import ResponseHead

#: Bodies whose end the client must be told in another way than by a length.
_UNSIZED: Final = (CHUNKED, UNTIL_CLOSE)


class Answer:
    __slots__ = ("_chunking", "_client", "_request", "head")

    def __init__(self, client: Client, request: RequestHead, head: ResponseHead) -> None:
        self._client = client
        self._request = request
        self._chunking = False
        self.head = head

    def begin(self, payload: bytes, block: bytes, extra: bytes, *, stays: bool, done: bool) -> None:
        """Pass on the head with its field lines ``block`` and ``extra``, and the first of the body.

        ``stays``: as far as the request is concerned, the client may ask again on its connection.
        """
        head, client, is_http10 = self.head, self._client, self._request.fields.is_http10
        if head.length in _UNSIZED:
            if is_http10:  # knows no chunks: its body ends with the connection
                stays = False
            else:
                self._chunking = True
                extra += b"Transfer-Encoding: chunked\r\n"
                payload = frame(payload, done=done)
        if head.status == SWITCHING_PROTOCOLS:
            extra += b"Connection: Upgrade\r\nUpgrade: %b\r\n" % head.upgrade
        elif not stays or is_http10:
            extra += client.persistence_field(stays=stays)
        client.transport.write(b"%b%b%b\r\n%b" % (head.start, block, extra, payload))

    def go_on(self, payload: bytes, *, done: bool) -> None:
        self._client.write(frame(payload, done=done) if self._chunking else payload)
