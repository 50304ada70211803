"""replicated: a cart lives in the memory of the server that serves it, with copies on k others.

Each session has one owner at a time; its epoch counts the owners. The owner applies a change, then sends
it to the k best of the live members by rendezvous hash: as the change alone, which a copy takes only if
it is exactly one revision behind, else it asks for a snapshot. ``sync`` answers when the copies have it;
``async`` answers at once, and at most ``replication_queue`` changes are under way.

A request that comes to another server makes that one the owner: it asks all live members for what they
have, takes the newest, and counts the epoch up. A member of an older epoch is fenced when it sends: it
gives up its copy, which is merged. A server that was paused cannot know whether it is still the owner;
when its own clock jumped, it asks the others before it answers.

A login moves a session to another id and buries the old one here and, with the copy itself, where it is
copied to; all others are told. A server that missed that is told when it next sends, or claims.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from services.cart.errors import NoSuchSession, StoreCut
from services.cart.replication.copies import Copies, Role
from services.cart.replication.pauses import Pauses
from services.cart.replication.peers import Peers
from services.cart.replication.plane import Plane
from services.cart.replication.rank import ranked
from services.cart.strategies.memory import Memory
from services.cart.strategies.promised import promised

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.cart.config import Config
    from services.cart.strategies.protocol import Answer, Ask, Login

_TICK = 0.05
#: A member that is gone for so long is not coming back before its sessions need a new owner.
_GIVEN_UP = 1.0
_TRIES = 3
_SWEEP = 0.5


class Replicated(Memory):
    name = "replicated"

    def __init__(self, config: Config, prices: Mapping[str, int]) -> None:
        super().__init__(config, prices)
        self.promises = promised(config)
        self._copies = Copies(config, self._sessions)
        self._peers = Peers(
            config.secret, timeout=config.peer_timeout, answered=self._answered, changed=self._changed
        )
        self._plane = Plane(self, config.secret)
        self._moves: dict[str, asyncio.Task[str]] = {}
        #: Sessions of ours with fewer copies than they should have, oldest first.
        self._thin: dict[str, None] = {}
        self._tick: asyncio.Task[None] | None = None
        self._pauses = Pauses(config.peer_timeout / 2)
        self._counts = dict.fromkeys(("taken_over", "fetched", "repaired", "waited", "alone"), 0)

    async def start(self) -> dict[str, Any]:
        self._peers.start()
        self._pauses.start()
        self._tick = asyncio.create_task(self._keep_ticking())
        host, port = await self._plane.listen(self._config.peer_listen_host, self._config.peer_listen_port)
        return {"peer_host": host, "peer_port": port}

    async def close(self) -> None:
        if self._tick:
            self._tick.cancel()
            await asyncio.gather(self._tick, return_exceptions=True)
        await self._plane.close()
        await self._peers.close()

    async def read(self, session: str, carried: str = "") -> Answer:
        origin = await self._own(session)
        answer = await super().read(session, carried)
        role = self._copies.roles[session]
        if time.monotonic() - role.touched > self._config.session_ttl / 10:
            role.touched = time.monotonic()
            self._send(session, self._copies.touch(session))
        return replace(answer, origin=origin, backups=tuple(self._backups(session)))

    async def change(self, session: str, ask: Ask) -> Answer:
        origin = "new" if ask.create else await self._own(session)
        kept = self._sessions.get(session)
        before = kept.cart if kept else None
        answer = await super().change(session, ask)  # it awaits nothing, so we are the owner still
        if not answer.replayed:
            message = self._copies.changed(session, ask, answer, before, self._pauses.count)
            await self._replicate(session, message)
        return replace(answer, origin=origin, backups=tuple(self._backups(session)))

    async def login(self, session: str, login: Login) -> Answer:
        origin = "new" if login.fresh else await self._own_what_is_moved(session, login)
        answer = self._log_in(session, login)
        if not answer.replayed:
            message = self._copies.moved(session, login.to, self._pauses.count)
            told = self._tell_of_death(session)
            await asyncio.gather(self._replicate(login.to, message), told)
        return replace(answer, origin=origin, backups=tuple(self._backups(login.to)))

    async def logout(self, session: str, carried: str = "") -> None:
        await self._own(session)
        await super().logout(session, carried)
        self._copies.bury(session)
        await self._tell_of_death(session)

    def held(self) -> int:
        self._drop_expired()
        return self._copies.owned()

    def figures(self) -> dict[str, float]:
        """Messages not confirmed yet, sent, their bytes; delay at this receiver, ms; copies; events."""
        return {
            "unsent": self._peers.unsent,
            "sent": self._peers.sent,
            "batches": self._peers.batches,
            "bytes": self._peers.bytes,
            "members_live": len(self._peers.live),
            "thin": len(self._thin),
            "paused": self._pauses.count,
            **self._copies.figures(),
            **self._counts,
        }

    # What the others ask for, through the peer plane.

    def tell(self, members: dict[str, str]) -> None:
        self._peers.tell({name: at for name, at in members.items() if name != self._config.server_id})

    def addresses(self) -> dict[str, str]:
        return self._peers.addresses()

    def take(self, messages: list[dict[str, Any]]) -> dict[str, Any]:
        said = self._copies.take(messages)
        for session in said.pop("grown"):
            self._thin[session] = None
        return said

    def hand_over(self, session: str, to: str) -> dict[str, Any]:
        self._drop_expired()
        return {"copy": self._copies.hand_over(session, to), "dead": session in self._copies.dead}

    # Who owns a session.

    async def _own(self, session: str) -> str:
        """Be its owner; the X-Session-Origin that tells how."""
        origin = "local"
        for _ in range(_TRIES):
            self._pauses.notice()
            role = self._copies.roles.get(session)
            if role and role.owner == self._config.server_id and role.sure == self._pauses.count:
                return origin
            move = self._moves.get(session)
            if move is None:
                move = self._moves[session] = asyncio.create_task(self._take_over(session))
                move.add_done_callback(lambda _: self._moves.pop(session, None))
            origin = await asyncio.shield(move)
        raise StoreCut("Several servers want this cart at once; ask again in a moment.", attempted=False)

    async def _take_over(self, session: str) -> str:
        mine = self._copies.snapshot(session)
        role = self._copies.roles.get(session)
        asked = {"session": session, "to": self._config.server_id}
        said = await self._peers.ask_all("/claim", asked)
        if any(each["dead"] for each in said):
            self._copies.bury(session)
        if session in self._copies.dead:
            raise NoSuchSession
        copies = [each["copy"] for each in said if each["copy"]]
        newest = max([*copies, *([mine] if mine else [])], key=_age, default=None)
        if newest is None:
            raise NoSuchSession
        if role and newest is mine and role.owner == self._config.server_id:
            role.sure = self._pauses.count
            return "local"
        self._copies.adopt(newest, self._pauses.count)
        self._counts["taken_over"] += 1
        self._counts["fetched"] += newest is not mine
        await self._replicate(session, self._copies.snapshot(session))
        return "backup"

    async def _own_what_is_moved(self, session: str, login: Login) -> str:
        """The session, or what became of it when this login was here before."""
        try:
            return await self._own(session)
        except NoSuchSession:
            if not login.key:
                raise
        return await self._own(login.to)

    async def _tell_of_death(self, session: str) -> None:
        message = {"kind": "dead", "session": session}
        told = [self._peers.send(name, message) for name in self._peers.live if session]
        if told and self._config.replication == "sync":
            await asyncio.wait(told)  # who cannot be told now is told when it asks, or sends what it has

    # Where its copies are.

    def _backups(self, session: str) -> list[str]:
        return ranked(session, self._peers.live)[: self._config.replicas]

    def _send(self, session: str, message: dict[str, Any] | None) -> list[asyncio.Future[bool]]:
        return [self._peers.send(name, message) for name in self._backups(session)] if message else []

    async def _replicate(self, session: str, message: dict[str, Any] | None) -> None:
        role = self._copies.roles[session]
        for _ in range(_TRIES):
            names = self._backups(session)
            confirmed = self._send(session, message)
            if not confirmed:
                self._counts["alone"] += 1
                self._thin[session] = None
                return
            if self._config.replication == "async":
                role.backups = tuple(names)
                for future in confirmed:
                    future.add_done_callback(lambda done: self._check_later(session, done))
                if self._peers.unsent > self._config.replication_queue:
                    self._counts["waited"] += 1
                    await asyncio.wait(confirmed)
                return
            if all(await asyncio.gather(*confirmed)):
                role.backups = tuple(names)
                return
            message = self._copies.snapshot(session)
            if message is None:
                raise StoreCut("Another server has taken this cart over meanwhile.", attempted=True)
        self._thin[session] = None

    def _check_later(self, session: str, confirmed: asyncio.Future[bool]) -> None:
        if confirmed.cancelled() or not confirmed.result():
            self._thin[session] = None

    def _answered(self, name: str, said: dict[str, Any]) -> None:
        for session in said["need"]:
            if snapshot := self._copies.snapshot(session):
                self._peers.send(name, snapshot)
        for session in said["dead"]:
            self._copies.bury(session)
        for session, (owner, epoch) in said["fenced"].items():
            if given_up := self._copies.give_up(session, owner, epoch):
                self._peers.send(owner, given_up)

    def _changed(self) -> None:
        """A member came or went: whose copies should be elsewhere now?"""
        for session, role in self._copies.roles.items():
            if role.owner == self._config.server_id and set(role.backups) != set(self._backups(session)):
                self._thin[session] = None

    async def _keep_ticking(self) -> None:
        swept = 0.0
        while True:
            await asyncio.sleep(_TICK)
            self._pauses.notice()
            if (now := time.monotonic()) - swept > _SWEEP:
                swept = now
                self._adopt_orphans()
            await self._repair(max(1, int(self._config.repair_rate * _TICK)))

    def _adopt_orphans(self) -> None:
        self._copies.forget_expired()
        for session, role in list(self._copies.roles.items()):
            if self._is_orphan(session, role):
                self._copies.inherit(session, self._pauses.count)
                self._thin[session] = None

    def _is_orphan(self, session: str, role: Role) -> bool:
        """Its owner is gone, and of those who have a copy we are the first who is not."""
        me = self._config.server_id
        if role.owner == me or not self._peers.is_gone(role.owner, for_seconds=_GIVEN_UP):
            return False
        heirs = ranked(session, {me, *self._peers.addresses()} - {role.owner})[: self._config.replicas]
        return next((heir for heir in heirs if heir == me or heir in self._peers.live), "") == me

    async def _repair(self, most: int) -> None:
        for session in list(self._thin)[:most]:
            role = self._copies.roles.get(session)
            if role is None or role.owner != self._config.server_id:
                del self._thin[session]
                continue
            names = self._backups(session)
            if not names:
                return
            del self._thin[session]
            if all(await asyncio.gather(*self._send(session, self._copies.snapshot(session)))):
                role.backups = tuple(names)
                self._counts["repaired"] += 1
            else:
                self._thin[session] = None


def _age(copy: dict[str, Any]) -> tuple[int, int]:
    return copy["epoch"], copy["revision"]
