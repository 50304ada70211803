"""The narrow doors through which runner, workload and faults touch a cluster.

Each asks only for what it needs. Every kind of site implements ``Site``; what only some can do
(``Cuts``) stands beside it, and a fault that asks for that says where it is possible.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.cluster.gauge import Load
    from lab.timeline import ServerSample
    from lab.wire.rule import Rule


@dataclass(frozen=True, slots=True)
class Address:
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"


class Kills(Protocol):
    async def kill(self, server: str) -> None:
        """End ``server`` at once (SIGKILL) and return when the process is gone."""
        ...


class Crashes(Protocol):
    async def crash(self, server: str) -> None:
        """Ask ``server`` to crash itself (``POST /crash``) and return when the process is gone."""
        ...


class Starts(Protocol):
    async def start(self, server: str) -> None:
        """Start ``server`` again, under its name, and return when the balancer calls it up."""
        ...


class Stops(Protocol):
    async def stop(self, server: str) -> None:
        """Ask ``server`` to end (SIGTERM), insist after a while; return when the process is gone."""
        ...


class Pauses(Protocol):
    async def pause(self, server: str) -> None:
        """Freeze ``server``; return when it runs no more."""
        ...

    async def resume(self, server: str) -> None:
        """Let ``server`` go on; return when the balancer calls it up."""
        ...


class Side(StrEnum):
    """Who is at the other end of one of a server's networks."""

    BALANCER = "balancer"
    STORE = "store"
    #: The other servers, where carts are copied between them.
    SERVERS = "servers"


class Cuts(Protocol):
    async def cut(self, server: str, side: Side) -> None:
        """Take ``server`` off the network on which it meets ``side``."""
        ...

    async def mend(self, server: str, side: Side) -> None:
        """Put ``server`` back on it; return when the balancer calls it up."""
        ...


class Disturbs(Protocol):
    async def disturb(self, server: str, side: Side, rule: Rule) -> None:
        """Have ``rule`` in force on all connections between ``server`` and ``side``."""
        ...

    async def calm(self, server: str, side: Side) -> None:
        """Let everything pass there again; return when the balancer calls ``server`` up."""
        ...


class LosesReplies(Protocol):
    async def lose_replies(self, server: str, number: int) -> None:
        """Have ``server`` make so many of the next changes and hang up in place of an answer; 0: none."""
        ...


class SkewsClock(Protocol):
    async def skew_clock(self, server: str, seconds: float) -> None:
        """Have ``server`` believe that it is so much later than it is."""
        ...


class RestartsBalancer(Protocol):
    async def kill_balancer(self) -> None:
        """End the balancer at once (SIGKILL) and return when the process is gone."""
        ...

    async def start_balancer(self) -> None:
        """Start it again on its ports; return when it calls every server up."""
        ...


class KillsStore(Protocol):
    async def kill_store(self) -> None:
        """End the store at once (SIGKILL) and return when the process is gone."""
        ...

    async def start_store(self) -> None:
        """Start it again; return when it answers and the balancer calls every server up."""
        ...


class StopsStore(KillsStore, Protocol):
    async def stop_store(self) -> None:
        """Ask the store to end (SIGTERM) and return when the process is gone."""
        ...


class FreezesStore(Protocol):
    async def freeze_store(self) -> None:
        """SIGSTOP: it accepts connections still, for that is the kernel's work, and answers nothing."""
        ...

    async def thaw_store(self) -> None:
        """Let it go on; return when the balancer calls every server up."""
        ...


class FillsStore(Protocol):
    async def fill_store(self, share: float, policy: str) -> None:
        """Grant it so little memory that ``share`` of its data has no room; ``policy`` is its own word."""
        ...

    async def free_store(self) -> None:
        """Grant it all the memory that it had before."""
        ...


class CutsPower(KillsStore, Protocol):
    async def store_log_size(self) -> int:
        """How many bytes its log has now."""
        ...

    async def cut_power(self, log_size: int) -> None:
        """End the store at once, and leave it no more of its log than it had then."""
        ...


@dataclass(frozen=True, slots=True)
class StoreFigures:
    """``messages`` it has read and written since it started; ``memory`` and the others are bytes."""

    messages: int
    bytes_in: int
    bytes_out: int
    memory: int
    keys: int
    keys_without_ttl: int


@runtime_checkable
class TellsStore(Protocol):
    async def store_figures(self) -> StoreFigures | None:
        """What its store has counted so far; None where there is none."""
        ...


@runtime_checkable
class TellsFigures(Protocol):
    async def server_figures(self) -> dict[str, dict[str, float]]:
        """What each server that answers says about its strategy, by its own names."""
        ...


class Samples(Protocol):
    async def sample(self) -> Sequence[ServerSample]:
        """Carts held, CPU and memory of every server; costs a few milliseconds."""
        ...

    def balancer_load(self) -> Load | None:
        """CPU and memory of the balancer; None once it is gone."""
        ...

    @property
    def sessions_moved(self) -> int:
        """How many sessions the balancer has moved to another server so far."""
        ...


class Site(Kills, Crashes, Stops, Starts, Pauses, Samples, Protocol):
    """One running arm."""

    @property
    def front(self) -> Address:
        """Where shoppers go: the balancer."""
        ...

    @property
    def admin(self) -> Address:
        """The balancer's admin API."""
        ...

    @property
    def store(self) -> str | None:
        """Kind and version of the store, or None."""
        ...
