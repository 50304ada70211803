"""``--sticky hash`` over real sockets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.net.lb.conftest import OpenBackend, StartLb

HASH = ("--sticky", "hash")


@pytest.mark.parametrize("kind", ["mod", "ring", "rendezvous", "maglev"])
async def test_two_balancers_send_a_session_to_the_same_server(
    start_lb: StartLb, backend: OpenBackend, kind: str
) -> None:
    servers = [await backend(f"s{n}") for n in (1, 2, 3)]
    one = await start_lb(*servers, flags=(*HASH, "--hash-type", kind))
    other = await start_lb(*reversed(servers), flags=(*HASH, "--hash-type", kind))
    for number in range(12):
        answers = [await lb.get(Cookie=f"cart_sid={number}") for lb in (one, other)]
        assert answers[0]["x-lab-server"] == answers[1]["x-lab-server"]
        assert {answer["x-lab-sticky"] for answer in answers} == {"VN"}


async def test_f05_a_session_whose_server_died_goes_home_when_it_is_back(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    servers = {name: await backend(name) for name in ("s1", "s2", "s3")}
    lb = await start_lb(*servers.values(), flags=HASH)
    home = str((await lb.get(Cookie="cart_sid=abc"))["x-lab-server"])
    servers[home].close()
    for _ in range(3):
        answer = await lb.get(Cookie="cart_sid=abc")
        assert (answer.status, answer["x-lab-moved-from"]) == (200, home)
    await servers[home].open()
    await lb.until(home, "up")
    answer = await lb.get(Cookie="cart_sid=abc")
    assert (answer["x-lab-server"], answer["x-lab-moved-from"]) == (home, None)


@pytest.mark.parametrize(("sticky", "may_part"), [("hash", True), ("cookie", False), ("learn", False)])
async def test_h08_only_a_hash_may_send_the_second_request_elsewhere_than_the_one_that_made_the_session(
    start_lb: StartLb, backend: OpenBackend, sticky: str, *, may_part: bool
) -> None:
    """A session's cookie comes with the first answer, so there was nothing to hash before."""
    servers = [await backend(f"s{n}") for n in (1, 2, 3)]
    lb = await start_lb(*servers, flags=("--sticky", sticky))
    parted = 0
    for _ in range(20):
        first = await lb.get()
        cookies = "; ".join(line.partition(";")[0] for line in first.all("set-cookie"))
        parted += (await lb.get(Cookie=cookies))["x-lab-server"] != first["x-lab-server"]
    assert (parted > 0) is may_part


async def test_h06_one_address_for_everybody_is_one_server_for_everybody(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    servers = [await backend(f"s{n}") for n in (1, 2, 3)]
    lb = await start_lb(*servers, flags=(*HASH, "--hash-key", "address"))
    assert len({(await lb.get(Cookie=f"cart_sid={n}"))["x-lab-server"] for n in range(12)}) == 1


async def test_untied_requests_of_one_key_meet_one_server_and_nobody_calls_it_a_tie(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    servers = [await backend(f"s{n}") for n in range(1, 4)]
    flags = ("--sticky", "none", "--balance", "hash", "--hash-key", "header:X-Shop")
    lb = await start_lb(*servers, flags=flags)
    answers = [await lb.get(X_Shop=str(n % 10)) for n in range(30)]
    names = [answer["x-lab-server"] for answer in answers]
    assert names[:10] == names[10:20] == names[20:]
    assert len(set(names)) > 1
    assert {answer["x-lab-sticky"] for answer in answers} == {None}
    keyless = {(await lb.get())["x-lab-server"] for _ in range(6)}
    assert keyless == {"s1", "s2", "s3"}


async def test_a_tie_comes_before_the_hash_of_a_balance(start_lb: StartLb, backend: OpenBackend) -> None:
    servers = [await backend(f"s{n}") for n in range(1, 4)]
    flags = ("--sticky", "cookie", "--balance", "hash", "--hash-key", "address")
    lb = await start_lb(*servers, flags=flags)
    home = (await lb.get())["x-lab-server"]
    assert {(await lb.get())["x-lab-server"] for _ in range(5)} == {home}
    other = next(server.name for server in servers if server.name != home)
    assert (await lb.get(Cookie=f"LABSRV={other}"))["x-lab-server"] == other
