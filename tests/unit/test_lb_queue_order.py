"""Who is let in first when a server has room."""

from __future__ import annotations

from lb.counters import Counters
from lb.pool import Address, Event, Pool, Server
from lb.queue import Queue


class Guest:
    """Takes a place when it is admitted, as an exchange does."""

    admitted: list[str]

    def __init__(self, name: str, *, refuses: Server | None = None) -> None:
        self.name = name
        self.refuses = refuses

    def would_take(self, server: Server) -> bool:
        return server is not self.refuses

    def admit(self, server: Server) -> None:
        server.active += 1
        self.admitted.append(f"{self.name} on {server.name}")

    def choose_again(self) -> None:
        self.admitted.append(f"{self.name} again")


def house() -> tuple[Pool, Queue, Server, Server]:
    Guest.admitted = []
    pool = Pool(lambda: 0.0)
    one, two = (pool.add(name, Address("127.0.0.1", 1)) for name in ("s1", "s2"))
    for server in (one, two):
        pool.apply(server, Event.PASSED, "checked")
        server.active = 1
    return pool, Queue(1, 2, pool, Counters()), one, two


def test_whoever_came_first_is_first_tied_or_not() -> None:
    _, queue, one, _ = house()
    for name, server in (("a", None), ("b", one), ("c", None), ("d", one)):
        queue.join(Guest(name), server)
    for _ in range(4):
        one.active = 0
        queue.serve(one)
    assert Guest.admitted == ["a on s1", "b on s1", "c on s1", "d on s1"]


def test_a_newcomer_does_not_overtake_those_who_wait() -> None:
    _, queue, one, two = house()
    queue.join(Guest("a"), one)
    one.active = two.active = 0
    assert (queue.has_room(one), queue.has_room(two)) == (False, True)
    queue.join(Guest("b"), None)
    assert not queue.has_room(two)


def test_one_that_failed_on_a_server_lets_the_next_one_have_it() -> None:
    _, queue, one, two = house()
    queue.join(Guest("a", refuses=one), None)
    queue.join(Guest("b"), None)
    one.active = two.active = 0
    queue.serve(one)
    queue.serve(two)
    assert Guest.admitted == ["b on s1", "a on s2"]


def test_a_draining_server_takes_only_those_who_are_tied_to_it() -> None:
    pool, queue, one, two = house()
    queue.join(Guest("a"), None)
    queue.join(Guest("b"), one)
    pool.apply(one, Event.DRAIN, "asked")
    one.active = 0
    queue.serve(one)
    assert Guest.admitted == ["b on s1"]
    pool.apply(two, Event.DRAIN, "asked")
    queue.look_round()
    assert Guest.admitted == ["b on s1", "a again"]


def test_a_server_has_room_for_as_many_as_may_wait() -> None:
    _, queue, one, two = house()
    guests = [Guest("a"), Guest("b")]
    for guest in guests:
        assert not queue.is_full(one)
        queue.join(guest, one)
    assert (queue.is_full(one), queue.is_full(two)) == (True, False)
    queue.leave(guests[0], one)
    assert not queue.is_full(one)
    assert (one.counters.qcur, one.counters.qmax) == (1, 2)
