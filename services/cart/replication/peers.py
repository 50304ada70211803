"""The other servers: where they are, who of them answers, and what waits to be sent to each.

A call is bounded in time, and one that fails marks its member as gone; all are greeted every half
second, the gone ones too. Messages to one member keep their order and travel in batches.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp

if TYPE_CHECKING:
    from collections.abc import Callable

KEY_HEADER = "X-Peer-Key"
_BATCH = 64
_PROBE_SECONDS = 0.5
_PURPOSE = b"cart peer plane"

Message = dict[str, Any]


def key_of(secret: str) -> str:
    """What opens the peer plane: hex of HMAC-SHA256(secret, "cart peer plane")."""
    return hmac.new(secret.encode(), _PURPOSE, hashlib.sha256).hexdigest()


class PeerGone(Exception):
    """It did not answer in time, or not as one of us."""


@dataclass(slots=True)
class _Peer:
    address: str
    is_live: bool = True
    gone_since: float = 0.0
    waiting: deque[tuple[Message, asyncio.Future[bool]]] = field(default_factory=deque)
    sender: asyncio.Task[None] | None = None
    in_flight: int = 0


class Peers:
    def __init__(
        self,
        secret: str,
        *,
        timeout: float,
        answered: Callable[[str, dict[str, Any]], None],
        changed: Callable[[], None],
    ) -> None:
        """``answered`` gets what a member says to a batch; ``changed``: one came or went."""
        self._key = key_of(secret)
        self._timeout = timeout
        self._answered = answered
        self._changed = changed
        self._peers: dict[str, _Peer] = {}
        self._http: aiohttp.ClientSession | None = None
        self._probing: asyncio.Task[None] | None = None
        self.sent = self.batches = self.bytes = 0

    @property
    def live(self) -> list[str]:
        return [name for name, peer in self._peers.items() if peer.is_live]

    def is_gone(self, name: str, *, for_seconds: float) -> bool:
        peer = self._peers.get(name)
        return peer is None or (not peer.is_live and time.monotonic() - peer.gone_since > for_seconds)

    @property
    def unsent(self) -> int:
        """Messages that no member has confirmed yet."""
        return sum(len(peer.waiting) + peer.in_flight for peer in self._peers.values())

    def addresses(self) -> dict[str, str]:
        return {name: peer.address for name, peer in self._peers.items()}

    def start(self) -> None:
        self._http = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=self._timeout), headers={KEY_HEADER: self._key}
        )
        self._probing = asyncio.create_task(self._probe())

    async def close(self) -> None:
        tasks = [self._probing, *(peer.sender for peer in self._peers.values())]
        for task in tasks:
            if task:
                task.cancel()
        await asyncio.gather(*(task for task in tasks if task), return_exceptions=True)
        if self._http:
            await self._http.close()

    def tell(self, members: dict[str, str]) -> None:
        """All the other members there are, name to host:port."""
        for name in set(self._peers) - set(members):
            self._drop(self._peers.pop(name))
        for name, address in members.items():
            known = self._peers.get(name)
            if known is None or known.address != address:
                if known:
                    self._drop(known)
                self._peers[name] = _Peer(address)
            elif not known.is_live:
                known.is_live = True
        self._changed()

    def send(self, name: str, message: Message) -> asyncio.Future[bool]:
        """Resolves to True when the member has it, to False when it is gone."""
        confirmed: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        peer = self._peers.get(name)
        if peer is None or not peer.is_live:
            confirmed.set_result(False)
            return confirmed
        peer.waiting.append((message, confirmed))
        if peer.sender is None or peer.sender.done():
            peer.sender = asyncio.create_task(self._send_all(name, peer))
        return confirmed

    async def call(self, name: str, path: str, content: dict[str, Any]) -> dict[str, Any]:
        """Raises ``PeerGone``."""
        peer = self._peers.get(name)
        if peer is None or self._http is None:
            raise PeerGone(name)
        try:
            async with self._http.post(f"http://{peer.address}{path}", json=content) as answer:
                if not answer.ok:
                    raise PeerGone(name)
                self.bytes += int(answer.request_info.headers.get("Content-Length", 0))
                said: dict[str, Any] = await answer.json()
                return said
        except (aiohttp.ClientError, TimeoutError, OSError) as problem:
            self._mark_gone(name)
            raise PeerGone(name) from problem

    async def ask_all(self, path: str, content: dict[str, Any]) -> list[dict[str, Any]]:
        """What the live members say, those that answer."""
        said = await asyncio.gather(
            *(self.call(name, path, content) for name in self.live), return_exceptions=True
        )
        for each in said:
            if isinstance(each, BaseException) and not isinstance(each, PeerGone):
                raise each
        return [each for each in said if not isinstance(each, BaseException)]

    async def _send_all(self, name: str, peer: _Peer) -> None:
        while peer.waiting:
            batch = [peer.waiting.popleft() for _ in range(min(_BATCH, len(peer.waiting)))]
            peer.in_flight = len(batch)
            try:
                said = await self.call(name, "/copies", {"messages": [message for message, _ in batch]})
            except PeerGone:
                _settle(batch)
                self._drop(peer)
                return
            finally:
                peer.in_flight = 0
            self.sent += len(batch)
            self.batches += 1
            self._answered(name, said)
            refused = {*said["need"], *said["fenced"], *said["dead"]}
            _settle(batch, [message["session"] not in refused for message, _ in batch])

    def _mark_gone(self, name: str) -> None:
        peer = self._peers.get(name)
        if peer and peer.is_live:
            peer.is_live = False
            peer.gone_since = time.monotonic()
            self._changed()

    def _drop(self, peer: _Peer) -> None:
        _settle(list(peer.waiting))
        peer.waiting.clear()

    async def _probe(self) -> None:
        while True:
            await asyncio.sleep(_PROBE_SECONDS)
            await asyncio.gather(*(self._greet(name, peer) for name, peer in list(self._peers.items())))

    async def _greet(self, name: str, peer: _Peer) -> None:
        try:
            await self.call(name, "/hello", {})
        except PeerGone:
            return
        if not peer.is_live:
            peer.is_live = True
            self._changed()


def _settle(batch: list[tuple[Message, asyncio.Future[bool]]], confirmed: list[bool] | None = None) -> None:
    for (_, future), is_there in zip(batch, confirmed or [False] * len(batch), strict=True):
        if not future.done():
            future.set_result(is_there)
