"""How a self-test looks at a site: as a shopper, as an operator, and past the balancer."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any

import aiohttp
from redis.exceptions import RedisError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.cluster.ports import StoreFigures
    from lab.cluster.processes import ProcessSite

ORDER = {"item": "iPhone 15", "price": 1200}
_OK = 200
_TRIES = 20
#: A shopper who waits longer has given up.
PATIENCE = aiohttp.ClientTimeout(total=4)
_LOOKS = 15


@dataclass(frozen=True, slots=True)
class Seen:
    """One answer: ``status`` is None when there was none."""

    status: int | None
    server: str = ""
    body: Mapping[str, Any] = field(default_factory=dict)
    cookies: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_ok(self) -> bool:
        return self.status == _OK

    @property
    def pieces(self) -> int:
        return sum(line["quantity"] for line in self.body.get("cart", ()))


class Sight:
    """``victim`` is the server that faults hit; ``cookies`` are those of a shopper whose cart it holds."""

    def __init__(self, site: ProcessSite, http: aiohttp.ClientSession) -> None:
        self.site = site
        self.victim = site.arm.server_names[0]
        self.cookies: dict[str, str] = {}
        self.acknowledged = 0
        self._http = http
        self.pid: int | None = None
        self.keys = 0
        self.messages = 0
        self.sessions = 0

    async def settle(self) -> bool:
        """Become a shopper of the victim, and remember how everything was; False when it cannot be had."""
        for _ in range(_TRIES):
            self.cookies = {}
            seen = await self.add()
            if seen.is_ok and seen.server == self.victim:
                break
        else:
            return False
        self.acknowledged = 1
        self.pid = (await self.stats()).get("pid")
        self.sessions = await self.sessions_bound()
        if figures := await self.figures():
            self.keys, self.messages = figures.keys, figures.messages
        return self.pid is not None

    async def crowd(self, number: int) -> None:
        """So many carts more, of nobody in particular."""
        for _ in range(number):
            await self._ask("POST", self.site.front.url, "/cart/add", {})

    async def add(self) -> Seen:
        """One more of the same into the shopper's cart, without a key."""
        seen = await self._ask("POST", self.site.front.url, "/cart/add", self.cookies)
        if seen.is_ok:
            self.cookies |= seen.cookies
            self.acknowledged += 1
        return seen

    async def site_answers(self) -> bool:
        """Whether a stranger can shop."""
        return (await self._ask("POST", self.site.front.url, "/cart/add", {})).is_ok

    async def cart(self) -> Seen:
        return await self._ask("GET", self.site.front.url, "/cart", self.cookies)

    async def cart_at_victim(self) -> Seen:
        return await self._ask("GET", self._direct, "/cart", self.cookies)

    async def stats(self) -> Mapping[str, Any]:
        """What the victim itself says, past the balancer; nothing when it is silent."""
        return (await self._ask("GET", self._direct, "/stats", {})).body

    async def state(self) -> str:
        """What the balancer says about the victim."""
        rows = (await self._ask("GET", self.site.admin.url, "/servers", {})).body.get("servers", ())
        return next((row["state"] for row in rows if row["name"] == self.victim), "unknown")

    async def sessions_bound(self) -> int:
        """How many the balancer has in its table; -1 when it does not answer."""
        seen = await self._ask("GET", self.site.admin.url, "/sessions", {})
        return int(seen.body["total"]) if seen.is_ok else -1

    async def figures(self) -> StoreFigures | None:
        """The store's; None where there is none, or none that answers."""
        try:
            return await self.site.store_figures()
        except (RedisError, OSError):
            return None

    async def seconds(self) -> float:
        """The median time of a few reads of the shopper's."""
        taken = []
        for _ in range(_LOOKS):
            began = time.perf_counter()
            await self.cart()
            taken.append(time.perf_counter() - began)
        return median(taken)

    @property
    def _direct(self) -> str:
        return self.site.servers[self.victim].address.url

    async def _ask(self, method: str, base: str, path: str, cookies: Mapping[str, str]) -> Seen:
        headers = (
            {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())} if cookies else {}
        )
        order = ORDER if method == "POST" else None
        try:
            async with self._http.request(
                method, f"{base}{path}", json=order, headers=headers, timeout=PATIENCE
            ) as answer:
                body = await answer.json() if "json" in answer.content_type else {}
                set_to = {name: morsel.value for name, morsel in answer.cookies.items()}
                return Seen(answer.status, answer.headers.get("X-Served-By", ""), body, set_to)
        except (TimeoutError, aiohttp.ClientError, OSError):
            return Seen(None)
