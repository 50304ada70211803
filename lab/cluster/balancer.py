"""The balancer's admin API, as the lab uses it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import aiohttp

from lab.errors import EnvironmentProblem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from lab.cluster.ports import Address


@dataclass(frozen=True, slots=True)
class ServerView:
    """A server as the balancer sees it."""

    address: str
    state: str
    cause: str


class Balancer:
    def __init__(self, session: aiohttp.ClientSession, admin: Address) -> None:
        self._session = session
        self._admin = admin

    async def put_server(self, name: str, address: Address) -> None:
        """Add a server, or tell that it has moved."""
        url = f"{self._admin.url}/servers/{name}"
        async with self._session.put(url, json={"address": str(address)}) as answer:
            if answer.status >= HTTPStatus.BAD_REQUEST:
                raise EnvironmentProblem(
                    f"PUT {url} with address {address} should add the server; "
                    f"the balancer answered {answer.status}: {(await answer.text())[:300]}"
                )

    async def servers(self) -> dict[str, ServerView]:
        async with self._session.get(f"{self._admin.url}/servers") as answer:
            listed = (await answer.json())["servers"]
        return {one["name"]: ServerView(one["address"], one["state"], one["cause"] or "") for one in listed}

    async def events(self) -> AsyncIterator[dict[str, Any]]:
        """All that happened so far, then what happens, each once, until the balancer is gone."""
        last = -1
        while True:
            try:
                async for event in self._stream():
                    if event["seq"] > last:
                        last = event["seq"]
                        yield event
            except aiohttp.ClientConnectorError:
                return
            except aiohttp.ClientError:
                continue  # the stream broke, the balancer did not: read on from its backlog

    async def _stream(self) -> AsyncIterator[dict[str, Any]]:
        endless = aiohttp.ClientTimeout(total=None)
        async with self._session.get(f"{self._admin.url}/events?history=1", timeout=endless) as answer:
            async for line in answer.content:
                if line.startswith(b"data:"):
                    yield json.loads(line.removeprefix(b"data:"))
