"""When a server fails: who gets the request instead, and who gets an honest error."""

from __future__ import annotations

import asyncio
import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.net.lb.conftest import Answer, Lb, OpenBackend, Peer, Process, Script, Seen, StartLb

GET = b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 5\r\n\r\nhello"
KEYED = b"POST / HTTP/1.1\r\nHost: shop\r\nIdempotency-Key: k1\r\nContent-Length: 5\r\n\r\nhello"
#: Checks that would not notice anything within a test: only live traffic does.
BLIND = ("--inter", "60", "--fastinter", "60", "--downinter", "60", "--fall", "99")


async def die(peer: Peer, seen: Seen) -> None:
    """Take the whole request and fall over."""
    await peer.body(seen)
    peer.reset()


async def test_a_refused_connection_is_met_with_another_server_for_any_method(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    s1, s2 = await backend("s1"), await backend("s2")
    lb = await start_lb(s1, s2, flags=BLIND)
    s1.close()
    for data in (GET, POST, KEYED, POST.replace(b"POST", b"PATCH")):
        for _ in range(2):
            answer = await lb.ask(data)
            assert (answer.status, answer["x-lab-server"]) == (200, "s2")
    assert [seen.body for seen in s2.seen] == [b""] * 2 + [b"hello"] * 6
    assert (await lb.counters())["redispatches"] >= 3


@pytest.mark.parametrize(
    ("data", "flags", "moves"),
    [
        (GET, (), True),
        (GET.replace(b"GET", b"PUT"), (), True),
        (POST.replace(b"POST", b"DELETE"), (), True),
        (POST, (), False),
        (POST.replace(b"POST", b"PATCH"), (), False),
        (KEYED, (), False),
        (KEYED, ("--retry-keyed",), True),
        (POST, ("--retry-keyed",), False),
    ],
    ids=["GET", "PUT", "DELETE-with-body", "POST", "PATCH", "keyed", "keyed-and-allowed", "POST-and-allowed"],
)
async def test_a_request_that_was_sent_goes_to_another_server_only_if_that_is_harmless(
    start_lb: StartLb, backend: OpenBackend, data: bytes, flags: tuple[str, ...], *, moves: bool
) -> None:
    s1, s2 = await backend("s1"), await backend("s2")
    lb = await start_lb(s1, s2, flags=flags)
    s1.script = s2.script = die
    answers = []
    for survivor in (s2, s1):
        survivor.script = None
        answers += [await lb.ask(data) for _ in range(3)]
        survivor.script = die
        s1.seen.clear() if not moves else None
    failed = [answer for answer in answers if answer.status != 200]
    if moves:
        assert not failed
        assert "2" in {answer["x-lab-tries"] for answer in answers}
    else:
        assert {answer.status for answer in failed} == {502}
        assert {answer["x-lab-tries"] for answer in failed} == {"1"}
        assert all("error=connection_terminated" in str(answer["proxy-status"]) for answer in failed)


async def test_a_post_that_fails_was_seen_by_one_server_once(start_lb: StartLb, backend: OpenBackend) -> None:
    s1, s2 = await backend("s1"), await backend("s2")
    lb = await start_lb(s1, s2)
    s1.script = s2.script = die
    for number in range(1, 11):
        assert (await lb.ask(POST)).status == 502
        assert len(s1.seen) + len(s2.seen) == number


async def test_a_body_too_large_to_keep_is_not_sent_twice(start_lb: StartLb, backend: OpenBackend) -> None:
    s1, s2 = await backend("s1"), await backend("s2")
    lb = await start_lb(s1, s2)
    s1.script = s2.script = die
    large = b"PUT / HTTP/1.1\r\nHost: shop\r\nContent-Length: 200000\r\n\r\n" + b"x" * 200_000
    answer = await lb.ask(large)
    assert answer.status == 502
    assert len(s1.seen) + len(s2.seen) == 1


def torn(*fields: str) -> Script:
    """Say the head of an answer, and fall over before the first byte of its body."""

    async def script(peer: Peer, seen: Seen) -> None:
        await peer.body(seen)
        await peer.send("\r\n".join(["HTTP/1.1 200 OK", *fields, "", ""]).encode())
        peer.writer.close()

    return script


SMALL = "Content-Length: 243"


@pytest.mark.parametrize("data", [GET, KEYED], ids=["GET", "keyed"])
async def test_a_server_that_dies_between_the_head_and_the_body_of_a_small_answer_is_stood_in_for(
    start_lb: StartLb, backend: OpenBackend, data: bytes
) -> None:
    s1, s2 = await backend("s1"), await backend("s2")
    lb = await start_lb(s1, s2, flags=("--retry-keyed", "--sticky", "learn"))
    s1.script = torn(SMALL, "Set-Cookie: cart_sid=never-used")
    answers = [await lb.ask(data) for _ in range(4)]
    assert {(answer.status, answer["x-lab-server"]) for answer in answers} == {(200, "s2")}
    assert "2" in {answer["x-lab-tries"] for answer in answers}
    assert not [value for answer in answers for value in answer.all("set-cookie") if "never-used" in value]
    status, _ = await lb.api("GET", "/sessions/never-used")
    assert status == 404, "only the answer that was used teaches"
    counters = await lb.counters()
    assert (counters["responses"]["2xx"], counters["servers"]["s1"]["responses"]["2xx"]) == (4, 0)


async def test_an_unkeyed_post_whose_small_answer_never_begins_its_body_gets_an_honest_502(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    s1, s2 = await backend("s1"), await backend("s2")
    lb = await start_lb(s1, s2, flags=("--retry-keyed",))
    s1.script = s2.script = torn(SMALL)
    answer = await lb.ask(POST)
    assert (answer.status, answer["x-lab-tries"]) == (502, "1")
    assert "error=connection_terminated" in str(answer["proxy-status"])
    assert len(s1.seen) + len(s2.seen) == 1


@pytest.mark.parametrize(
    "fields",
    [
        ("Content-Length: 1000000",),
        ("Transfer-Encoding: chunked", "Content-Type: text/event-stream"),
        ("Content-Type: until/close",),
    ],
    ids=["large", "chunked", "endless"],
)
async def test_the_head_of_an_answer_that_is_not_small_is_not_kept_back(
    start_lb: StartLb, backend: OpenBackend, fields: tuple[str, ...]
) -> None:
    s1 = await backend("s1")
    lb = await start_lb(s1)

    async def say_the_head(peer: Peer, seen: Seen) -> None:
        await peer.send("\r\n".join(["HTTP/1.1 200 OK", *fields, "", ""]).encode())
        await peer.reader.read()

    s1.script = say_the_head
    wire = await lb.wire()
    await wire.send(GET)
    async with asyncio.timeout(10):
        head = await wire.reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(
    ("data", "start"),
    [
        (GET.replace(b"GET", b"HEAD"), "HTTP/1.1 200 OK\r\nContent-Length: 243"),
        (GET, "HTTP/1.1 204 No Content"),
        (GET, "HTTP/1.1 304 Not Modified\r\nContent-Length: 243"),
        (GET, "HTTP/1.1 200 OK\r\nContent-Length: 0"),
    ],
    ids=["HEAD", "204", "304", "empty"],
)
async def test_an_answer_that_has_no_body_is_whole_with_its_head(
    start_lb: StartLb, backend: OpenBackend, data: bytes, start: str
) -> None:
    s1 = await backend("s1")
    lb = await start_lb(s1)

    async def answer(peer: Peer, seen: Seen) -> None:
        await peer.send(f"{start}\r\n\r\n".encode())

    s1.script = answer
    wire = await lb.wire()
    for _ in range(2):
        assert (await wire.ask(data)).status == int(start[9:12])


async def test_a_small_answer_whose_body_never_begins_is_a_gateway_timeout(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    s1 = await backend("s1")
    lb = await start_lb(s1, flags=("--response-timeout", "0.3"))

    async def say_the_head(peer: Peer, seen: Seen) -> None:
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
        await peer.reader.read()

    s1.script = say_the_head
    answer = await lb.get()
    assert (answer.status, (await lb.server("s1"))["active"]) == (504, 0)


async def test_after_an_interim_answer_a_head_is_not_kept_back(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    s1 = await backend("s1")
    lb = await start_lb(s1)

    async def hint_and_answer(peer: Peer, seen: Seen) -> None:
        await peer.send(b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
        await came.wait()
        await peer.send(b"hello")

    s1.script = hint_and_answer
    came = asyncio.Event()
    wire = await lb.wire()
    await wire.send(GET)
    async with asyncio.timeout(10):
        await wire.reader.readuntil(b"\r\n\r\n")
        assert b" 200 OK" in await wire.reader.readuntil(b"\r\n\r\n")
        came.set()
        assert await wire.reader.readexactly(5) == b"hello"


async def test_an_idle_connection_that_the_server_closed_costs_nobody_an_error_or_a_session(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    """The closing races with requests: every request must be answered by its own server, once."""
    s1, s2 = await backend("s1"), await backend("s2")
    lb = await start_lb(s1, s2, flags=("--sticky", "learn"))
    cookie = str((await lb.get())["set-cookie"]).split(";", 1)[0]
    home = {"s1": s1, "s2": s2}[str((await lb.get(Cookie=cookie))["x-lab-server"])]

    async def answer_and_close(peer: Peer, seen: Seen) -> None:
        await peer.answer((await peer.body(seen)) or b"ok")
        peer.writer.close()

    home.script = answer_and_close
    home.seen.clear()
    wire = await lb.wire()
    post = POST.replace(b"Host", b"Cookie: " + cookie.encode() + b"\r\nHost")
    for _ in range(100):
        answers = [await wire.get(Cookie=cookie), await wire.ask(post)]
        assert [(answer.status, answer["x-lab-server"]) for answer in answers] == [(200, home.name)] * 2
    assert len([seen for seen in home.seen if seen.method == "POST"]) == 100
    assert (await lb.counters())["sessions_moved"] == 0


async def test_a_request_that_meets_a_closing_connection_is_sent_again_to_the_same_server(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    """The worst moment of that race: the server closes when the request is already on its way."""
    s1, s2 = await backend("s1"), await backend("s2")
    lb = await start_lb(s1, s2, flags=("--sticky", "learn"))
    cookie, name = await tied(lb)
    home = {"s1": s1, "s2": s2}[name]
    served: set[int] = set()

    async def answer_once_a_connection(peer: Peer, seen: Seen) -> None:
        if seen.connection in served:
            peer.reset()
            return
        served.add(seen.connection)
        await peer.answer(b"ok")

    home.script = answer_once_a_connection
    for _ in range(20):
        answer = await lb.get(Cookie=cookie)
        assert (answer.status, answer["x-lab-server"], answer["x-lab-tries"]) == (200, name, "1")
    counters = await lb.counters()
    assert (counters["sessions_moved"], counters["redispatches"]) == (0, 0)
    assert counters["retries"] >= 15


async def test_one_refused_connect_and_the_check_that_it_brings_forward_take_a_server_down(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    s1, s2 = await backend("s1"), await backend("s2")
    lb = await start_lb(s1, s2, flags=("--inter", "60", "--fastinter", "60", "--fall", "2"))
    s1.close()
    assert [(await lb.get()).status for _ in range(2)] == [200, 200]
    assert (await lb.until("s1", "down"))["cause"].startswith("L4CON")


async def test_requests_that_cannot_be_repeated_have_a_connection_of_their_own(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    s1 = await backend("s1")
    lb = await start_lb(s1)
    for data in (GET, POST, GET, POST):
        assert (await lb.ask(data)).status == 200
    first_get, first_post, second_get, second_post = [seen.connection for seen in s1.seen]
    assert first_post != first_get
    assert second_get in (first_get, first_post)
    assert second_post not in (first_get, first_post)


async def test_with_every_server_down_the_answer_is_503_at_once(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    s1 = await backend("s1")
    lb = await start_lb(s1)
    s1.close()
    await lb.until("s1", "down")
    loop = asyncio.get_running_loop()
    began = loop.time()
    wire = await lb.wire()
    for _ in range(5):
        answer = await wire.get()
        assert (answer.status, answer["retry-after"], answer["set-cookie"]) == (503, "1", None)
        assert "error=destination_unavailable" in str(answer["proxy-status"])
    assert loop.time() - began < 1
    await s1.open()
    await lb.until("s1", "up")
    assert (await wire.get()).status == 200


async def test_without_any_server_the_answer_is_503(start_lb: StartLb) -> None:
    lb = await start_lb()
    assert (await lb.get()).status == 503
    assert (await lb.ask(POST)).status == 503


async def test_an_answer_that_does_not_come_is_a_gateway_timeout(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    s1 = await backend("s1")
    lb = await start_lb(s1, flags=("--response-timeout", "0.3"))

    async def think(peer: Peer, seen: Seen) -> None:
        await peer.reader.read()

    s1.script = think
    answer = await lb.get()
    assert answer.status == 504
    assert "error=http_response_timeout" in str(answer["proxy-status"])
    assert (await lb.server("s1"))["active"] == 0


async def test_a_body_that_stops_coming_is_cut_short(start_lb: StartLb, backend: OpenBackend) -> None:
    s1 = await backend("s1")
    lb = await start_lb(s1, flags=("--body-timeout", "0.3"))

    async def stop(peer: Peer, seen: Seen) -> None:
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome")
        await peer.reader.read()

    s1.script = stop
    wire = await lb.wire()
    await wire.send(GET)
    assert (await wire.rest()).endswith(b"\r\n\r\nsome")
    assert (await lb.server("s1"))["active"] == 0


async def test_an_upload_that_stops_coming_is_a_request_timeout(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    s1 = await backend("s1")
    lb = await start_lb(s1, flags=("--body-timeout", "0.3"))
    assert (await lb.ask(POST[:-1])).status == 408


async def test_a_connect_that_gets_no_reply_is_bounded_and_another_server_answers(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    """A listener whose queue is full ignores further connects, as a black hole does."""
    s1, s2 = await backend("s1"), await backend("s2")
    lb = await start_lb(s1, s2, flags=(*BLIND, "--connect-timeout", "0.3"))
    s1.close()
    with ExitStack() as stack:
        stack.enter_context(socket.create_server(("127.0.0.1", s1.port), backlog=1))
        for _ in range(8):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)  # noqa: FBT003 - the standard library's signature
            waiting.connect_ex(("127.0.0.1", s1.port))
        answers = [await lb.get() for _ in range(4)]
    assert {(answer.status, answer["x-lab-server"]) for answer in answers} == {(200, "s2")}
    assert "2" in {answer["x-lab-tries"] for answer in answers}


# Sessions


async def tied(lb: Lb) -> tuple[str, str]:
    """A new session: its cookie and its server."""
    answer = await lb.get()
    return str(answer["set-cookie"]).split(";", 1)[0], str(answer["x-lab-server"])


async def test_a_session_moves_when_its_server_dies_and_does_not_move_back(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    s1, s2 = await backend("s1"), await backend("s2")
    lb = await start_lb(s1, s2, flags=("--sticky", "learn"))
    cookie, home = await tied(lb)
    server = {"s1": s1, "s2": s2}[home]
    server.close()
    answer = await lb.get(Cookie=cookie)
    assert answer.status == 200
    other = str(answer["x-lab-server"])
    assert (answer["x-lab-moved-from"], answer["x-lab-tries"]) == (home, "2")
    await server.open()
    await lb.until(home, "up")
    for _ in range(5):
        answer = await lb.get(Cookie=cookie)
        assert (answer["x-lab-server"], answer["x-lab-moved-from"]) == (other, None)
    assert (await lb.counters())["sessions_moved"] == 1
    _, found = await lb.api("GET", f"/sessions/{cookie.partition('=')[2]}")
    assert found["server"] == other


async def test_strict_failover_answers_503_until_the_server_is_back(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    s1, s2 = await backend("s1"), await backend("s2")
    lb = await start_lb(s1, s2, flags=("--sticky", "learn", "--failover", "strict"))
    cookie, home = await tied(lb)
    server = {"s1": s1, "s2": s2}[home]
    server.close()
    assert (await lb.get(Cookie=cookie)).status in (502, 503)
    await lb.until(home, "down")
    refusal = await lb.get(Cookie=cookie)
    assert (refusal.status, refusal["x-lab-tries"]) == (503, "0")
    await server.open()
    await lb.until(home, "up")
    assert (await lb.get(Cookie=cookie))["x-lab-server"] == home


async def test_a_strict_refusal_after_the_request_was_sent_does_not_say_that_nobody_got_it(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    s1, s2 = await backend("s1"), await backend("s2")
    lb = await start_lb(s1, s2, flags=("--sticky", "learn", "--failover", "strict", "--retry-keyed", *BLIND))
    cookie, _ = await tied(lb)
    s1.script = s2.script = die
    answer = await lb.ask(KEYED.replace(b"\r\n", b"\r\nCookie: %b\r\n" % cookie.encode(), 1))
    assert answer.status == 502
    assert "error=connection_terminated" in str(answer["proxy-status"])


async def test_a_server_that_comes_back_elsewhere_is_used_again(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    s1 = await backend("s1")
    lb = await start_lb(s1, flags=("--sticky", "learn"))
    cookie, _ = await tied(lb)
    s1.close()
    await lb.until("s1", "down")
    s1.port = 0
    await s1.open()
    assert (await lb.put("s1", address=s1.address))["state"] == "starting"
    server = await lb.until("s1", "up")
    assert (server["address"], server["sessions"]) == (s1.address, 1)
    assert (await lb.get(Cookie=cookie)).status == 200


# Real processes, really killed


class Crowd:
    """Sessions that keep asking, each on its own connection; what each request met is kept."""

    def __init__(self, lb: Lb, make: Callable[[str, int], bytes]) -> None:
        self.lb = lb
        self.make = make
        self.cookies: list[str] = []
        self.homes: dict[str, str] = {}
        self.answers: list[tuple[str, Answer]] = []
        self.stop = asyncio.Event()

    async def enter(self, sessions: int) -> None:
        for _ in range(sessions):
            cookie, home = await tied(self.lb)
            self.cookies.append(cookie)
            self.homes[cookie] = home

    async def shop(self, cookie: str) -> None:
        wire = await self.lb.wire()
        number = 0
        while not self.stop.is_set():
            number += 1
            self.answers.append((cookie, await wire.ask(self.make(cookie, number))))
            if self.answers[-1][1]["connection"] == "close":
                wire = await self.lb.wire()

    async def around(
        self, break_it: Callable[[], Awaitable[None]], until: Callable[[], Awaitable[object]]
    ) -> None:
        """Everybody shops while ``break_it`` happens, and on until ``until`` is through."""
        tasks = [asyncio.ensure_future(self.shop(cookie)) for cookie in self.cookies]
        while len(self.answers) < 3 * len(self.cookies):
            await asyncio.sleep(0.01)
        await break_it()
        await until()
        enough = len(self.answers) + 3 * len(self.cookies)
        while len(self.answers) < enough:
            await asyncio.sleep(0.01)
        self.stop.set()
        await asyncio.gather(*tasks)


def get(cookie: str, number: int) -> bytes:
    return f"GET /{number} HTTP/1.1\r\nHost: shop\r\nCookie: {cookie}\r\n\r\n".encode()


def keyed_post(cookie: str, number: int | str) -> bytes:
    head = (
        f"POST /{number} HTTP/1.1\r\nHost: shop\r\nCookie: {cookie}\r\nIdempotency-Key: {cookie}-{number}\r\n"
    )
    return head.encode() + b"Content-Length: 5\r\n\r\nhello"


def bare_post(cookie: str, number: int | str) -> bytes:
    return keyed_post(cookie, number).replace(b"Idempotency-Key", b"X-No-Key")


@pytest.mark.parametrize("make", [get, keyed_post], ids=["GET", "keyed-POST"])
async def test_a_server_killed_under_load_moves_exactly_its_own_sessions_and_nobody_sees_an_error(
    start_lb: StartLb, processes: list[Process], make: Callable[[str, int], bytes]
) -> None:
    lb = await start_lb(*processes, flags=("--sticky", "learn", "--retry-keyed"))
    crowd = Crowd(lb, make)
    await crowd.enter(30)
    victim = processes[1]
    await crowd.around(victim.kill, lambda: lb.until(victim.name, "down"))
    assert {answer.status for _, answer in crowd.answers} == {200}
    movers = {cookie for cookie, answer in crowd.answers if answer["x-lab-moved-from"]}
    assert movers == {cookie for cookie, home in crowd.homes.items() if home == victim.name}
    assert (await lb.counters())["sessions_moved"] == len(movers) > 0
    for process in processes:
        server = await lb.server(process.name)
        bound = (await lb.api("GET", f"/sessions?server={process.name}"))[1]["total"]
        assert (server["active"], server["sessions"]) == (0, bound)


async def test_a_post_without_a_key_in_flight_at_a_kill_gets_an_honest_502(
    start_lb: StartLb, processes: list[Process]
) -> None:
    lb = await start_lb(*processes, flags=("--sticky", "learn", "--retry-keyed"))
    victim = processes[0]
    tied_there = [cookie for cookie, home in [await tied(lb) for _ in range(12)] if home == victim.name]
    held = [asyncio.ensure_future(lb.ask(bare_post(cookie, "held"))) for cookie in tied_there]
    for _ in tied_there:
        await victim.holds_one_more()
    await victim.kill()
    answers = await asyncio.gather(*held)
    assert len(answers) == 12 / len(processes)
    assert {answer.status for answer in answers} == {502}
    assert all("error=connection_terminated" in str(answer["proxy-status"]) for answer in answers)
    assert {(answer["x-lab-server"], answer["x-lab-tries"]) for answer in answers} == {(victim.name, "1")}
    again = [await lb.ask(bare_post(cookie, "1")) for cookie in tied_there]
    assert {(answer.status, answer["x-lab-moved-from"]) for answer in again} == {(200, victim.name)}
