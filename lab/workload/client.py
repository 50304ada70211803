"""The HTTP client of the shoppers: one bounded pool of connections, a cookie jar for each person.

aiohttp was chosen by measurement (``scripts/bench-clients``). Two of its habits are turned off,
because a history is evidence only when each operation is exactly one request on the wire:

* it sends an idempotent request once more when a kept-alive connection turns out to be dead. It
  decides so by the exception's type, hence a middleware that translates the type ends it, by
  public means alone;
* it follows redirects.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import aiohttp

if TYPE_CHECKING:
    from collections.abc import Mapping


class NotSent(Exception):
    """No connection was to be had: no byte of the request left."""


class NoAnswer(Exception):
    """The request may have left, and no whole answer came back."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        """What the body says, or None when it is no JSON."""
        try:
            return json.loads(self.content)
        except ValueError:
            return None


async def _no_silent_retry(
    request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    try:
        return await send(request)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
        raise NotSent(_named(error)) from error
    except aiohttp.ClientError as error:
        raise NoAnswer(_named(error)) from error


class Door:
    """The way into one arm: all its shoppers share ``connections`` kept-alive connections.

    The bound keeps 5,000 shoppers below a common file limit of 1024. Who waits for a connection,
    ``patience`` seconds at most, waits on the clock: latency counts from the moment they meant to
    act. Only a request that has been sent can run into ``timeout``, so a slow machine makes a slow
    run and no errors that the site did not make.
    """

    def __init__(
        self, url: str, *, connections: int = 100, timeout: float = 10.0, patience: float = 60.0
    ) -> None:
        self.url = url.rstrip("/")
        self._connector = aiohttp.TCPConnector(limit=connections)
        self._timeout = aiohttp.ClientTimeout(total=None, connect=patience, sock_read=timeout)
        self._people: list[Person] = []

    def person(self) -> Person:
        """Somebody new, with an empty cookie jar."""
        session = aiohttp.ClientSession(
            connector=self._connector,
            connector_owner=False,
            # "Unsafe" jars take cookies from bare IP addresses, which is where labs live.
            cookie_jar=aiohttp.CookieJar(unsafe=True),
            timeout=self._timeout,
            middlewares=(_no_silent_retry,),
        )
        self._people.append(Person(self.url, session))
        return self._people[-1]

    async def close(self) -> None:
        for person in self._people:
            await person.close()
        await self._connector.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class Person:
    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self._url = url
        self._session = session

    async def get(self, path: str) -> Answer:
        return await self._ask("GET", path, None, None)

    async def post(self, path: str, body: Mapping[str, Any] | None, *, key: str | None = None) -> Answer:
        return await self._ask("POST", path, body, _keyed(key))

    async def put(self, path: str, body: Mapping[str, Any], *, key: str | None = None) -> Answer:
        return await self._ask("PUT", path, body, _keyed(key))

    async def delete(self, path: str, *, key: str | None = None) -> Answer:
        return await self._ask("DELETE", path, None, _keyed(key))

    async def close(self) -> None:
        await self._session.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _ask(
        self, method: str, path: str, body: Mapping[str, Any] | None, headers: Mapping[str, str] | None
    ) -> Answer:
        try:
            async with self._session.request(
                method, self._url + path, json=body, headers=headers, allow_redirects=False
            ) as response:
                return Answer(response.status, response.headers, await response.read())
        except (aiohttp.ClientError, OSError) as error:
            raise NoAnswer(_named(error)) from error


def _keyed(key: str | None) -> dict[str, str] | None:
    return {"Idempotency-Key": key} if key else None


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
