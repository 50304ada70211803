"""Servers that copy carts to each other are told who they are, as an operator would tell them."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

import aiohttp

from lab.errors import EnvironmentProblem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.cluster.ports import Address

#: Whoever signs the cookies may also speak on the servers' own listeners.
_KEY_HEADER, _PURPOSE = "X-Peer-Key", b"cart peer plane"


async def introduce(
    http: aiohttp.ClientSession,
    peers: Mapping[str, Address],
    secret: str,
    books: Mapping[str, Mapping[str, Address]],
) -> None:
    """Tell every one of ``peers`` about all of them: each has an address book of its own in ``books``."""
    headers = {_KEY_HEADER: hmac.new(secret.encode(), _PURPOSE, hashlib.sha256).hexdigest()}
    for name, address in peers.items():
        url = f"{address.url}/peers"
        members = {other: str(place) for other, place in books[name].items()}
        try:
            async with http.put(url, json=members, headers=headers) as answer:
                answer.raise_for_status()
        except aiohttp.ClientError as problem:
            raise EnvironmentProblem(
                f"PUT {url} should tell {name} who the other servers are; {problem}. Its log tells more."
            ) from problem
