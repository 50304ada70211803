"""What each tie promises, seen from outside: values, dates, names, tables."""

from __future__ import annotations

import asyncio
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.net.lb.conftest import Answer, Lb, OpenBackend, Peer, Seen, StartLb

COOKIE = ("--sticky", "cookie")
LEARN = ("--sticky", "learn")


def set_line(answer: Answer) -> str | None:
    """The one Set-Cookie of ours in an answer, or None."""
    lines = [line for line in answer.all("set-cookie") if line.startswith("LABSRV=")]
    assert len(lines) <= 1, lines
    return lines[0] if lines else None


def attributes(line: str | None) -> dict[str, str]:
    """Its attributes by lower-case name; the value itself under ``""``."""
    pairs = [part.strip().partition("=") for part in str(line).split(";")]
    return {"": pairs[0][2], **{name.lower(): value for name, _, value in pairs[1:]}}


async def test_c03_two_lines_of_cookies_lose_ours_and_nothing_else(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    s1 = await backend("s1")
    lb = await start_lb(s1, flags=COOKIE)
    await lb.ask(b"GET / HTTP/1.1\r\nHost: shop\r\nCookie: a=1; LABSRV=s1\r\nX: y\r\nCookie: b=2\r\n\r\n")
    assert s1.seen[0].all("cookie") == ["a=1", "b=2"]


async def test_c05_the_first_of_two_cookies_whose_server_is_well_counts(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    s1, s2 = await backend("s1"), await backend("s2")
    lb = await start_lb(s1, s2, flags=COOKIE)
    for _ in range(3):
        assert (await lb.get(Cookie="LABSRV=s2; LABSRV=s1"))["x-lab-server"] == "s2"
    await lb.put("s2", state="maintenance")
    answer = await lb.get(Cookie="LABSRV=s2; LABSRV=s1")
    assert (answer["x-lab-server"], answer["x-lab-sticky"], set_line(answer)) == ("s1", "VN", None)


@pytest.mark.parametrize("cookie", ["XLABSRV=s2", "labsrv=s2", "LABSRV2=s2", "note=LABSRV=s2", "LABSRV"])
async def test_c06_what_only_resembles_our_name_ties_nobody_and_reaches_the_server(
    start_lb: StartLb, backend: OpenBackend, cookie: str
) -> None:
    s1, s2 = await backend("s1"), await backend("s2")
    lb = await start_lb(s1, s2, flags=COOKIE)
    answers = [await lb.get(Cookie=cookie) for _ in range(4)]
    assert {answer["x-lab-server"] for answer in answers} == {"s1", "s2"}
    assert {answer["x-lab-sticky"] for answer in answers} == {"NI"}
    assert all(seen.all("cookie") == [cookie] for seen in s1.seen + s2.seen)


async def test_c07_the_applications_cookies_pass_in_order_and_each_on_its_line(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    s1 = await backend("s1")
    lb = await start_lb(s1, flags=COOKIE)
    theirs = ["a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT", "b=2; Path=/x", "a=3"]

    async def three(peer: Peer, seen: Seen) -> None:
        await peer.answer(b"", *(f"Set-Cookie: {line}" for line in theirs))

    s1.script = three
    assert (await lb.get()).all("set-cookie")[:3] == theirs


async def test_c08_where_it_is_preserved_the_servers_own_choice_passes_alone(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    s1 = await backend("s1")
    lb = await start_lb(s1, flags=(*COOKIE, "--cookie-preserve"))

    async def tie(peer: Peer, seen: Seen) -> None:
        await peer.answer(b"", "Set-Cookie: LABSRV=s7")

    s1.script = tie
    assert (await lb.get()).all("set-cookie") == ["LABSRV=s7"]


@pytest.mark.parametrize("seconds", [0, 600])
async def test_c11_both_words_say_how_long_it_lives_or_neither(
    start_lb: StartLb, backend: OpenBackend, seconds: int
) -> None:
    lb = await start_lb(await backend("s1"), flags=(*COOKIE, "--max-age", str(seconds)))
    found = attributes(set_line(await lb.get()))
    assert ("max-age" in found, "expires" in found) == (seconds > 0, seconds > 0)
    if seconds:
        ends = parsedate_to_datetime(found["expires"]).timestamp()
        assert (found["max-age"], abs(ends - time.time() - seconds) < 5) == ("600", True)


@pytest.mark.parametrize("secure", [False, True])
async def test_c12_scripts_and_other_sites_do_not_get_it_and_plain_http_only_if_so_run(
    start_lb: StartLb, backend: OpenBackend, *, secure: bool
) -> None:
    lb = await start_lb(await backend("s1"), flags=(*COOKIE, *(["--cookie-secure"] if secure else [])))
    found = attributes(set_line(await lb.get()))
    assert (found["path"], found["samesite"], "httponly" in found) == ("/", "Lax", True)
    assert ("secure" in found, "domain" in found) == (secure, False)


async def test_c13_c14_dates_in_the_cookie_decide_what_it_is_worth(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    s1 = await backend("s1")
    lb = await start_lb(s1, flags=(*COOKIE, "--maxidle", "60", "--maxlife", "600"))
    now = int(time.time())
    wanted = {
        f"s1|{now - 30}|{now - 300}": "VU",  # used: its last date is renewed
        f"s1|{now - 90}|{now - 300}": "EI",  # idle for too long
        f"s1|{now - 30}|{now - 700}": "OI",  # too old, however busy
        "s1": "VU",  # undated: from now on it is
        f"s1|{now + 90_000}|{now - 300}": "VU",  # from the day after tomorrow: no date
    }
    for value, letters in wanted.items():
        answer = await lb.get(Cookie=f"LABSRV={value}")
        assert (answer.status, answer["x-lab-sticky"]) == (200, letters), value
        server, last, first = attributes(set_line(answer))[""].split("|")
        assert (server, 0 <= int(last) - now <= 5) == ("s1", True)
        kept = value == f"s1|{now - 30}|{now - 300}" or int(last) != int(first)
        assert int(first) == (now - 300 if kept else int(last)), "activity never changes the first date"


async def test_c15_no_shared_cache_may_hand_our_cookie_to_others(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    s1 = await backend("s1")
    lb = await start_lb(s1, flags=COOKIE)

    async def cacheable(peer: Peer, seen: Seen) -> None:
        await peer.answer(b"", "Cache-Control: max-age=600", 'ETag: "1"')

    s1.script = cacheable
    answer = await lb.get()
    assert answer.all("cache-control") == ["max-age=600", "private"]
    assert (await lb.get(Cookie="LABSRV=s1")).all("cache-control") == ["max-age=600"]


async def test_c16_an_opaque_cookie_is_worth_the_same_where_the_secret_is(
    start_lb: StartLb, backend: OpenBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    s1, s2 = await backend("s1"), await backend("s2")
    balancers = []
    for secret in ("one secret for two", "one secret for two", "a secret of my own"):
        monkeypatch.setenv("LB_COOKIE_SECRET", secret)
        balancers.append(await start_lb(s1, s2, flags=(*COOKIE, "--cookie-value", "opaque")))
    one, twin, stranger = balancers
    value = attributes(set_line(await one.get()))[""]
    assert "s1" not in value
    assert "127.0.0.1" not in value
    letters = [(await lb.get(Cookie=f"LABSRV={value}"))["x-lab-sticky"] for lb in (one, twin, stranger)]
    assert letters == ["VN", "VN", "II"]
    for tampered in (value[:-1], value + "0", value.upper(), "é" * 16, "|" * 9, "s1"):
        answer = await one.ask(
            f"GET / HTTP/1.1\r\nHost: shop\r\nCookie: LABSRV={tampered}\r\n\r\n".encode("latin-1")
        )
        assert (answer.status, answer["x-lab-sticky"]) == (200, "II")


async def test_c17_c19_a_cookie_means_a_name_whatever_else_changes_around_it(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    s1, s2, s3 = [await backend(f"s{n}") for n in (1, 2, 3)]
    lb = await start_lb(s1, s2, flags=COOKIE)
    await lb.put("s3", address=s3.address)
    await lb.until("s3", "up")
    assert (await lb.get(Cookie="LABSRV=s1"))["x-lab-server"] == "s1"
    await lb.api("DELETE", "/servers/s1")
    await lb.put("s9", address=s1.address)
    await lb.until("s9", "up")
    answers = [await lb.get(Cookie="LABSRV=s1") for _ in range(6)]
    assert {answer["x-lab-sticky"] for answer in answers} == {"II"}
    assert {answer["x-lab-server"] for answer in answers} == {"s2", "s3", "s9"}, "the address inherits nobody"
    assert (await lb.get(Cookie="LABSRV=s2"))["x-lab-sticky"] == "VN"


async def learned(lb: Lb) -> tuple[str, str]:
    """A new session: its cookie and its server."""
    answer = await lb.get()
    return str(answer["set-cookie"]).partition(";")[0], str(answer["x-lab-server"])


async def total(lb: Lb) -> int:
    return int((await lb.api("GET", "/sessions"))[1]["total"])


async def test_l01_a_session_that_changes_its_id_stays_with_its_server(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    servers = [await backend(f"s{n}") for n in (1, 2)]
    lb = await start_lb(*servers, flags=LEARN)
    cookie, home = await learned(lb)

    async def log_in(peer: Peer, seen: Seen) -> None:
        await peer.answer(b"", "Set-Cookie: cart_sid=after-login; Path=/")

    for server in servers:
        server.script = log_in
    assert (await lb.get(Cookie=cookie))["x-lab-server"] == home
    for old_or_new in (cookie, "cart_sid=after-login"):
        assert (await lb.get(Cookie=old_or_new))["x-lab-server"] == home
    assert await total(lb) == 2


async def test_l02_an_id_that_a_client_made_up_is_tied_to_nobody(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    lb = await start_lb(await backend("s1"), await backend("s2"), flags=LEARN)
    answers = [await lb.get(Cookie="cart_sid=made-up") for _ in range(4)]
    assert {answer["x-lab-server"] for answer in answers} == {"s1", "s2"}
    assert await total(lb) == 0


async def test_l03_a_session_lives_from_its_last_use_and_then_is_balanced_again(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    lb = await start_lb(await backend("s1"), await backend("s2"), flags=(*LEARN, "--session-ttl", "0.6"))
    cookie, home = await learned(lb)
    loop = asyncio.get_running_loop()
    began = loop.time()
    while loop.time() < began + 1.0:
        assert (await lb.get(Cookie=cookie))["x-lab-server"] == home
        await asyncio.sleep(0.05)
    async with asyncio.timeout(10):
        while await total(lb):
            await asyncio.sleep(0.05)
    assert {(await lb.get(Cookie=cookie))["x-lab-server"] for _ in range(4)} == {"s1", "s2"}


async def test_l04_a_full_table_gives_up_its_oldest_session(start_lb: StartLb, backend: OpenBackend) -> None:
    s1 = await backend("s1")
    lb = await start_lb(s1, flags=(*LEARN, "--table-size", "2"))
    cookies = [(await learned(lb))[0] for _ in range(3)]
    assert await total(lb) == 2
    found = [(await lb.api("GET", f"/sessions/{cookie.partition('=')[2]}"))[0] for cookie in cookies]
    assert found == [404, 200, 200]


async def test_l05_a_restart_forgets_every_learned_session(start_lb: StartLb, backend: OpenBackend) -> None:
    servers = [await backend(f"s{n}") for n in (1, 2)]
    before = await start_lb(*servers, flags=LEARN)
    cookie, _ = await learned(before)
    assert await before.stop() == 0
    after = await start_lb(*servers, flags=LEARN)
    assert await total(after) == 0
    assert {(await after.get(Cookie=cookie))["x-lab-server"] for _ in range(4)} == {"s1", "s2"}


async def test_h06_behind_one_address_cookies_spread(start_lb: StartLb, backend: OpenBackend) -> None:
    lb = await start_lb(*[await backend(f"s{n}") for n in (1, 2, 3)], flags=COOKIE)
    assert {(await lb.get())["x-lab-server"] for _ in range(6)} == {"s1", "s2", "s3"}


async def test_h09_an_address_that_a_client_claims_is_not_hashed(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    servers = [await backend(f"s{n}") for n in (1, 2, 3)]
    lb = await start_lb(*servers, flags=("--sticky", "hash", "--hash-key", "address"))
    answers = [await lb.get(X_Forwarded_For=f"10.0.0.{n}") for n in range(12)]
    assert len({answer["x-lab-server"] for answer in answers}) == 1
