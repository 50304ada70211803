"""The carts of this process and whose they are: what is sent of them, and what is taken from others.

Nothing here waits or sends. A message is a dict: ``kind`` is change, snapshot, touch, merge or dead; each
names its session, its owner and the owner's epoch, and when it was sent (unix seconds), from which the
receiver measures how long a change was on its way. Of two servers that both think they own a session,
the higher epoch wins; of equal epochs, the greater name. A session that a login or a logout ended is
dead: nothing that comes late of it is taken.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from services.cart.clock import WALL
from services.cart.errors import CartError
from services.cart.model import Cart, Change, Verb
from services.cart.replication.merge import merged, noted
from services.cart.replication.tombs import Tombs
from services.cart.strategies.memory import Kept, Record
from services.cart.strategies.records import answer_of, flat, lines_of, record_of

if TYPE_CHECKING:
    from collections import OrderedDict

    from services.cart.config import Config
    from services.cart.strategies.protocol import Answer, Ask

_DELAYS = 2_000

Message = dict[str, Any]


@dataclass(slots=True)
class Role:
    """Whose a session is. ``sure``: up to which pause of this process that was confirmed."""

    owner: str
    epoch: int
    sure: int = 0
    trace: dict[str, Any] = field(default_factory=dict)
    written: float = 0.0
    backups: tuple[str, ...] = ()
    touched: float = field(default_factory=time.monotonic)


class Copies:
    def __init__(self, config: Config, sessions: OrderedDict[str, Kept]) -> None:
        """``sessions`` is shared with the strategy: all carts here, one's own and copies."""
        self._me = config.server_id
        self._config = config
        self._sessions = sessions
        self.roles: dict[str, Role] = {}
        self.dead = Tombs(config.session_max, config.max_sessions)
        self._delays: deque[float] = deque(maxlen=_DELAYS)
        self._counts = dict.fromkeys(("taken", "asked_for", "fenced", "merged", "inherited"), 0)

    def owned(self) -> int:
        return sum(role.owner == self._me for name, role in self.roles.items() if name in self._sessions)

    def figures(self) -> dict[str, float]:
        delays = sorted(self._delays)
        at = {"delay_p50_ms": 0.50, "delay_p99_ms": 0.99}
        return {
            **{
                name: round(1000 * delays[int(len(delays) * share)], 3) if delays else 0
                for name, share in at.items()
            },
            "copies": len(self._sessions) - self.owned(),
            "dead": len(self.dead),
            **self._counts,
        }

    # What is sent.

    def changed(self, session: str, ask: Ask, answer: Answer, before: Cart | None, sure: int) -> Message:
        role = self.roles.get(session)
        if role is None:
            role = self.roles[session] = Role(self._me, 1, sure)
        old = dict(before.lines) if before else {}
        role.trace = noted(self._config.merge, role.trace, old, dict(answer.cart.lines), self._me)
        role.written = WALL()
        if before is None:
            message = self.snapshot(session)
            assert message  # noqa: S101 - it was created a moment ago
            return message
        return self._message("change", session, role) | {
            "before": before.revision,
            "key": ask.key,
            "record": record_of(ask.change, answer),
        }

    def snapshot(self, session: str) -> Message | None:
        kept, role = self._sessions.get(session), self.roles.get(session)
        if kept is None or role is None:
            return None
        now = time.monotonic()
        return self._message("snapshot", session, role) | {
            "revision": kept.cart.revision,
            "lines": flat(kept.cart.lines),
            "records": {
                key: record_of(each.change, each.answer) | {"left": each.until - now}
                for key, each in kept.records.items()
            },
            "age": now - kept.born,
            "idle": now - kept.used,
            "who": kept.who,
            "trace": role.trace,
            "written": role.written,
        }

    def moved(self, session: str, to: str, sure: int) -> Message | None:
        """What was kept under ``session`` is under ``to``, and ours; that one is dead for who takes this."""
        old = self.roles.get(session) or Role(self._me, 0)
        self.roles[to] = Role(self._me, old.epoch + 1, sure, old.trace, old.written)
        self.bury(session)
        snapshot = self.snapshot(to)
        return snapshot and snapshot | {"was": session}

    def bury(self, session: str) -> None:
        if session:
            self.dead.add(session)
            self.roles.pop(session, None)
            self._sessions.pop(session, None)

    def touch(self, session: str) -> Message | None:
        role = self.roles.get(session)
        return self._message("touch", session, role) if role else None

    def _message(self, kind: str, session: str, role: Role) -> Message:
        return {
            "kind": kind,
            "session": session,
            "owner": role.owner,
            "epoch": role.epoch,
            "at": WALL(),
        }

    # Who owns a session.

    def hand_over(self, session: str, to: str) -> Message | None:
        """What we have of it, which is a copy of theirs from now on; None when nothing."""
        snapshot, role = self.snapshot(session), self.roles.get(session)
        if role:
            role.owner = to
        return snapshot

    def adopt(self, snapshot: Message, sure: int) -> None:
        """Be the owner of what another one had."""
        self._install(snapshot)
        self.inherit(snapshot["session"], sure)

    def inherit(self, session: str, sure: int) -> None:
        """Be the owner of a copy that is here."""
        role = self.roles[session]
        role.owner, role.epoch, role.sure, role.backups = self._me, role.epoch + 1, sure, ()
        self._counts["inherited"] += 1

    def give_up(self, session: str, to: str, epoch: int) -> Message | None:
        """Our copy, to be merged by who fenced us; it is not here any more."""
        role, snapshot = self.roles.get(session), self.snapshot(session)
        if role is None or snapshot is None or (role.epoch, self._me) > (epoch, to):
            return None
        self._counts["fenced"] += 1
        del self.roles[session], self._sessions[session]
        return snapshot | {"kind": "merge"}

    def forget_expired(self) -> None:
        for session in [each for each in self.roles if each not in self._sessions]:
            del self.roles[session]

    # What is taken.

    def take(self, messages: list[Message]) -> dict[str, Any]:
        """What is needed as a snapshot; what has a newer owner, and which epoch; what we merged; the dead."""
        need: dict[str, None] = {}
        fenced: dict[str, list[str | int]] = {}
        grown: list[str] = []
        dead: list[str] = []
        for message in messages:
            session, role = message["session"], self.roles.get(message["session"])
            self._counts["taken"] += 1
            if message["kind"] == "dead":
                self.bury(session)
            elif session in self.dead:
                dead.append(session)
            elif message["kind"] == "merge":
                self._merge(message)
                grown.append(session)
            elif role and (role.epoch, role.owner) > (message["epoch"], message["owner"]):
                fenced[session] = [role.owner, role.epoch]
            elif self._take(message, role):
                self._delays.append(WALL() - message["at"])
                need.pop(session, None)
            else:
                self._counts["asked_for"] += 1
                need[session] = None
        return {"need": list(need), "fenced": fenced, "grown": grown, "dead": dead}

    def _take(self, message: Message, role: Role | None) -> bool:
        if message["kind"] == "snapshot":
            self.bury(message.get("was", ""))
            self._install(message)
            return True
        kept = self._sessions.get(message["session"])
        if kept is None or role is None or (role.owner, role.epoch) != (message["owner"], message["epoch"]):
            return False
        if message["kind"] == "change" and not self._apply(message, kept, role):
            return False
        kept.used = time.monotonic()
        self._sessions.move_to_end(message["session"])
        return True

    def _apply(self, message: Message, kept: Kept, role: Role) -> bool:
        record = message["record"]
        change = _change(record["change"])
        if kept.cart.revision != message["before"]:
            return False
        try:
            cart = kept.cart.after(change)
        except CartError:
            return False
        if cart.revision != record["revision"]:
            return False
        role.trace = noted(
            self._config.merge, role.trace, dict(kept.cart.lines), dict(cart.lines), message["owner"]
        )
        role.written = message["at"]
        kept.cart = cart
        if message["key"]:
            kept.records[message["key"]] = self._record(record, self._config.op_window)
        return True

    def _install(self, message: Message) -> None:
        session, now = message["session"], time.monotonic()
        self._sessions[session] = Kept(
            born=now - message["age"],
            used=now - message["idle"],
            cart=Cart(lines_of(message["lines"]), message["revision"]),
            records={key: self._record(each, each["left"]) for key, each in message["records"].items()},
            who=message.get("who", ""),
        )
        self._sessions.move_to_end(session)
        self.roles[session] = Role(
            message["owner"], message["epoch"], trace=message["trace"], written=message["written"]
        )

    def _record(self, record: dict[str, Any], left: float) -> Record:
        answer = answer_of(record, "backup", replayed=False)
        return Record(_change(record["change"]), answer, time.monotonic() + left)

    def _merge(self, theirs: Message) -> None:
        """One cart again of ours and theirs; it is ours, and newer than both."""
        session = theirs["session"]
        mine = self.snapshot(session)
        if mine is None:
            self._install(theirs | {"owner": self._me})
            return
        quantities, trace = merged(self._config.merge, _side(mine), _side(theirs))
        self._install(
            theirs
            | {
                "owner": self._me,
                "epoch": max(mine["epoch"], theirs["epoch"]) + 1,
                "revision": max(mine["revision"], theirs["revision"]) + 1,
                "lines": flat(tuple(quantities.items())),
                "records": theirs["records"] | mine["records"],
                "idle": min(mine["idle"], theirs["idle"]),
                "age": max(mine["age"], theirs["age"]),
                "trace": trace,
                "written": max(mine["written"], theirs["written"]),
            }
        )
        self._counts["merged"] += 1


def _side(copy: Message) -> tuple[dict[str, int], dict[str, Any], float]:
    return dict(lines_of(copy["lines"])), copy["trace"], copy["written"]


def _change(text: str) -> Change:
    verb, sku, quantity = text.split(" ")
    return Change(Verb(verb), sku, int(quantity))
