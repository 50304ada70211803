"""``--sticky cookie`` over real sockets: who is given a cookie, and what it is worth afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.net.lb.conftest import Answer, Lb, OpenBackend, Peer, Seen, StartLb

COOKIE = ("--sticky", "cookie")
OPAQUE = (*COOKIE, "--cookie-value", "opaque")


def ours(answer: Answer) -> list[str]:
    """The values of our cookie that an answer sets."""
    lines = [line for line in answer.all("set-cookie") if line.startswith("LABSRV=")]
    return [line.removeprefix("LABSRV=").partition(";")[0] for line in lines]


async def new(lb: Lb) -> str:
    """Enter as a new client; the server's name in the cookie."""
    (value,) = ours(await lb.get())
    return value


async def test_c01_c02_c07_a_client_is_told_once_who_answers_it_and_stays_there(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    s1, s2 = await backend("s1"), await backend("s2")
    lb = await start_lb(s1, s2, flags=COOKIE)
    first = await lb.get()
    assert ours(first) == [first["x-lab-server"]]
    assert len(first.all("set-cookie")) == 2, "the application's own passes beside it"
    assert (first["cache-control"], first["x-lab-sticky"]) == ("private", "NI")
    wire = await lb.wire()
    for number in range(50):
        asked = (
            wire.get(Cookie=f"LABSRV={ours(first)[0]}")
            if number % 5
            else lb.get(Cookie=f"LABSRV={ours(first)[0]}")
        )
        answer = await asked
        assert (answer["x-lab-server"], ours(answer)) == (first["x-lab-server"], [])
        assert answer["x-lab-sticky"] == "VN"


async def test_c03_no_server_ever_sees_it(start_lb: StartLb, backend: OpenBackend) -> None:
    s1 = await backend("s1")
    lb = await start_lb(s1, flags=COOKIE)
    wire = await lb.wire()
    await wire.get(Cookie="x=1; LABSRV=s1; y=2")
    await wire.get(Cookie="LABSRV=s1")
    assert [seen.all("cookie") for seen in s1.seen] == [["x=1; y=2"], []]


@pytest.mark.parametrize("value", ["nobody", "", '"s1"', "S1", "x" * 4096])
async def test_c04_a_cookie_that_names_nobody_is_replaced_and_costs_no_error(
    start_lb: StartLb, backend: OpenBackend, value: str
) -> None:
    s1 = await backend("s1")
    lb = await start_lb(s1, flags=COOKIE)
    answer = await lb.get(Cookie=f"LABSRV={value}")
    assert (answer.status, ours(answer), answer["x-lab-sticky"]) == (200, ["s1"], "II")


async def test_c09_an_answer_of_the_balancer_ties_nobody(start_lb: StartLb) -> None:
    lb = await start_lb(flags=COOKIE)
    for data in (b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"):
        answer = await lb.ask(data)
        assert (answer.status // 100 in (4, 5), answer.all("set-cookie")) == (True, [])


async def test_c10_f01_f05_a_client_whose_server_refuses_is_told_of_the_last_server_only_and_stays_there(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    servers = [await backend(f"s{n}") for n in (1, 2, 3)]
    blind = ("--inter", "60", "--fastinter", "60", "--fall", "99")
    lb = await start_lb(*servers, flags=(*COOKIE, *blind))
    home = await new(lb)
    survivor = next(server for server in servers if server.name != home)
    dead = [server for server in servers if server is not survivor]
    for server in dead:
        server.close()
    answer = await lb.get(Cookie=f"LABSRV={home}; cart_sid=abc")
    assert (answer.status, ours(answer), answer["x-lab-sticky"]) == (200, [survivor.name], "DI")
    assert answer["x-lab-moved-from"] == home
    assert (await lb.counters())["sessions_moved"] == 1
    for server in dead:
        await server.open()
    answer = await lb.get(Cookie=f"LABSRV={survivor.name}")
    assert (answer["x-lab-server"], ours(answer)) == (survivor.name, [])


async def test_f07_a_strict_client_gets_errors_until_its_server_is_back_and_keeps_its_cookie(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    s1, s2 = await backend("s1"), await backend("s2")
    lb = await start_lb(s1, s2, flags=(*COOKIE, "--failover", "strict"))
    s1.close()
    await lb.until("s1", "down")
    answer = await lb.get(Cookie="LABSRV=s1")
    assert (answer.status, answer.all("set-cookie")) == (503, [])
    await s1.open()
    await lb.until("s1", "up")
    assert (await lb.get(Cookie="LABSRV=s1"))["x-lab-server"] == "s1"


async def test_c18_a_restart_of_the_balancer_moves_nobody(
    start_lb: StartLb, backend: OpenBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LB_COOKIE_SECRET", "the same for all of them")
    servers = [await backend(f"s{n}") for n in (1, 2, 3)]
    for flags in (COOKIE, OPAQUE):
        before = await start_lb(*servers, flags=flags)
        ties = [((answer := await before.get())["x-lab-server"], *ours(answer)) for _ in range(6)]
        assert await before.stop() == 0
        after = await start_lb(*reversed(servers), flags=flags)
        for server, value in ties:
            answer = await after.get(Cookie=f"LABSRV={value}")
            assert (answer["x-lab-server"], answer["x-lab-sticky"]) == (server, "VN")


async def test_d01_d03_a_draining_server_keeps_its_clients_and_takes_no_new_ones(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    s1, s2 = await backend("s1"), await backend("s2")
    lb = await start_lb(s1, s2, flags=COOKIE)
    await lb.put("s1", state="drain")
    assert {await new(lb) for _ in range(6)} == {"s2"}
    await lb.put("s2", state="maintenance")
    old = await lb.get(Cookie="LABSRV=s1")
    assert (old.status, old["x-lab-server"], ours(old)) == (200, "s1", [])
    assert (await lb.get()).status == 503


async def test_d04_maintenance_moves_a_client_once(start_lb: StartLb, backend: OpenBackend) -> None:
    s1, s2 = await backend("s1"), await backend("s2")
    lb = await start_lb(s1, s2, flags=COOKIE)
    await lb.put("s1", state="maintenance")
    answer = await lb.get(Cookie="LABSRV=s1")
    assert (ours(answer), answer["x-lab-sticky"]) == (["s2"], "DI")
    await lb.put("s1", state="ready")
    await lb.until("s1", "up")
    answer = await lb.get(Cookie="LABSRV=s2")
    assert (answer["x-lab-server"], ours(answer)) == ("s2", [])


async def test_c08_a_server_cannot_tie_clients_to_whom_it_likes(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    s1 = await backend("s1")
    lb = await start_lb(s1, flags=COOKIE)

    async def tie(peer: Peer, seen: Seen) -> None:
        await peer.answer(b"ok", "Set-Cookie: LABSRV=s7; Path=/", "Set-Cookie: a=1")

    s1.script = tie
    answer = await lb.get(Cookie="LABSRV=s1")
    assert (answer.all("set-cookie"), answer["x-lab-sticky"]) == (["a=1"], "VD")
