"""Real server processes: how they start, stop, die, and what is left of the carts."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from select import select
from typing import TYPE_CHECKING

import aiohttp
import httpx
import pytest

from services.cart.session import COOKIE
from services.cart.wire import HEAD_MAX

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.net.cart.conftest import CartServer, CartServers, CartStore

    StartStateless = Callable[..., CartServer]

PHONE = {"item": "iPhone 15", "price": 1200}
ONE_ADD = b"POST /cart/add HTTP/1.1\r\nHost: shop\r\nContent-Length: 20\r\n\r\n"


def add(client: httpx.Client, key: str = "") -> httpx.Response:
    return client.post("/cart/add", json=PHONE, headers={"Idempotency-Key": key} if key else {})


def pieces(answer: httpx.Response) -> int:
    assert answer.status_code == 200, answer.text
    return sum(line["quantity"] for line in answer.json()["cart"])


class TestStart:
    def test_the_first_line_tells_where_it_listens(self, cart_servers: CartServers) -> None:
        popen = cart_servers.popen("--id", "server-7")
        assert popen.stdout
        said = json.loads(popen.stdout.readline())
        address = (said["host"], said["port"])
        assert said == {
            "event": "listening",
            "program": "cart",
            "id": "server-7",
            "host": "127.0.0.1",
            "port": said["port"],
            "pid": popen.pid,
        }
        socket.create_connection(address).close()

    def test_every_setting_has_an_environment_name(self, cart_servers: CartServers) -> None:
        server = cart_servers.start(
            CART_ID="server-9", CART_LISTEN="127.0.0.1:0", CART_CHAOS="1", CART_CRASH_DELAY="60"
        )
        assert server.client.post("/crash").json() == {"message": "server-9 crashes in 60 s"}

    def test_a_taken_port_is_exit_code_4_and_says_which(self, cart_servers: CartServers) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            popen = cart_servers.popen("--listen", f"127.0.0.1:{port}")
            out, err = popen.communicate(timeout=20)
        assert popen.returncode == 4
        assert out == ""
        assert f"The port is taken: 127.0.0.1:{port}" in err

    @pytest.mark.parametrize(
        ("flags", "message"),
        [
            (["--strategy", "memroy"], "Did you mean 'memory'?"),
            (["--strategy", "stateless"], "--store-url"),
            (["--strategy", "stateless", "--store-url", "redis://u:hush@h:port"], "no store's URL"),
            (["--strategy", "stateless", "--store-url", "redis://h/?max_connections=x"], "no store's URL"),
            (["--crash-delay", "61"], "0 to 60"),
            (["--drain", "soon"], "--drain"),
            (["--listen", "nowhere"], "--listen"),
            (["--secret", "x"], "No such option"),
            (["--listen", "0.0.0.0:0"], "CART_SECRET"),
        ],
    )
    def test_bad_usage_is_exit_code_2_and_says_what_is_allowed(
        self, cart_servers: CartServers, flags: list[str], message: str
    ) -> None:
        popen = cart_servers.popen(*flags, CART_SECRET="")
        out, err = popen.communicate(timeout=20)
        assert (popen.returncode, out) == (2, "")
        assert message in err
        assert "Traceback" not in err
        assert "hush" not in err

    def test_the_secret_is_in_no_output(self, cart_servers: CartServers) -> None:
        secret = "do not show this to anybody"
        server = cart_servers.start(CART_SECRET=secret)
        answers = [server.client.get(path).text for path in ("/", "/stats", "/openapi.json", "/nowhere")]
        server.signal(signal.SIGTERM)
        _, out, err = server.ended()
        assert secret not in "".join([out, err, *answers])

    def test_a_secret_file_serves_as_well(self, cart_servers: CartServers, tmp_path: object) -> None:
        file = f"{tmp_path}/secret"
        with open(file, "w", encoding="utf-8") as out:  # noqa: PTH123 - tmp_path is shown as it is
            out.write("a secret from a file\n")
        one = cart_servers.start("--secret-file", file, CART_SECRET="")
        two = cart_servers.start(CART_SECRET="a secret from a file")
        add(one.client)
        two.client.cookies = one.client.cookies
        assert two.client.get("/cart").status_code == 200

    def test_a_store_s_password_comes_from_a_file(
        self, cart_servers: CartServers, store_own: CartStore, tmp_path: Path
    ) -> None:
        password = "known to the store alone"
        (tmp_path / "password").write_text(f"{password}\n")
        with store_own.client() as store:
            store.config_set("requirepass", password)
        flags = ("--strategy", "stateless", "--store-url", store_own.url)
        told = cart_servers.start(*flags, CART_STORE_PASSWORD_FILE=f"{tmp_path}/password")
        assert told.client.get("/ready").status_code == 200
        assert "authenticate" in cart_servers.start(*flags).client.get("/ready").text


class TestStop:
    def test_sigterm_makes_it_not_ready_and_a_second_ends_it_with_0(self, cart_servers: CartServers) -> None:
        server = cart_servers.start("--drain", "600")
        assert server.client.get("/ready").status_code == 200
        server.signal(signal.SIGTERM)
        answer = _until_not_ready(server)
        assert answer.json()["error"] == "draining"
        assert answer.headers["Connection"] == "close"
        assert pieces(add(server.client)) == 1, "what still comes is still served"
        server.signal(signal.SIGTERM)
        code, out, err = server.ended()
        assert (code, out) == (0, "")
        assert "Traceback" not in err

    def test_sigterm_under_load_breaks_no_answer(self, cart_servers: CartServers) -> None:
        server = cart_servers.start("--drain", "0.5")
        stop = threading.Event()
        answered: list[int] = []
        broken: list[httpx.TransportError] = []

        def shop() -> None:
            with httpx.Client(base_url=server.client.base_url) as client:
                while not stop.is_set():
                    try:
                        answered.append(add(client).status_code)
                    except httpx.ConnectError:
                        return
                    except httpx.RemoteProtocolError as problem:
                        # An idle connection may be closed while a request is on its way; half an
                        # answer may not.
                        if "without sending" not in str(problem):
                            broken.append(problem)
                    except httpx.TransportError as problem:
                        if not isinstance(problem, httpx.ReadError | httpx.WriteError):
                            broken.append(problem)

        with ThreadPoolExecutor(4) as crowd:
            shoppers = [crowd.submit(shop) for _ in range(4)]
            _wait_until(lambda: len(answered) > 100, "shoppers shop")
            server.signal(signal.SIGTERM)
            code, _, err = server.ended()
            stop.set()
            for each in shoppers:
                each.result()
        assert code == 0
        assert set(answered) == {200}
        assert not broken
        assert "Traceback" not in err

    def test_a_request_under_way_is_finished_before_it_exits(self, cart_servers: CartServers) -> None:
        server = cart_servers.start("--drain", "0")
        with socket.create_connection((server.host, server.port), timeout=20) as connection:
            connection.sendall(ONE_ADD + b'{"item":')
            _wait_until(lambda: _counted(server) == 1, "the request has begun")
            server.signal(signal.SIGTERM)
            _wait_until(lambda: not _listens(server), "the listener is closed")
            connection.sendall(b'"pixel 9"  }')
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        assert answer.startswith(b"HTTP/1.1 200 OK")
        assert b'"Pixel 9"' in answer
        assert server.ended()[0] == 0

    def test_a_third_does_not_wait_for_a_request_that_never_ends(self, cart_servers: CartServers) -> None:
        server = cart_servers.start("--drain", "600")
        with socket.create_connection((server.host, server.port), timeout=20) as connection:
            connection.sendall(ONE_ADD)
            _wait_until(lambda: _counted(server) == 1, "the request has begun")
            server.signal(signal.SIGTERM)
            _until_not_ready(server)
            server.signal(signal.SIGTERM)
            _wait_until(lambda: not _listens(server), "the listener is closed")
            server.signal(signal.SIGTERM)
            began = time.monotonic()
            assert server.ended()[0] == 0
            assert time.monotonic() - began < 8

    def test_ctrl_c_stops_it_as_well(self, cart_servers: CartServers) -> None:
        server = cart_servers.start("--drain", "0")
        server.signal(signal.SIGINT)
        code, _, err = server.ended()
        assert code == 0
        assert "Traceback" not in err


class TestCrash:
    def test_it_answers_then_dies_without_a_goodbye(self, cart_servers: CartServers) -> None:
        server = cart_servers.start("--chaos", "--crash-delay", "0.3")
        began = time.monotonic()
        assert server.client.post("/crash").json() == {"message": "server-1 crashes in 0.3 s"}
        assert server.client.get("/health").status_code == 200
        code, _, err = server.ended()
        assert code == 1
        assert time.monotonic() - began >= 0.3
        assert "draining" not in err

    def test_a_page_from_elsewhere_cannot_ask_for_it(self, cart_servers: CartServers) -> None:
        server = cart_servers.start("--chaos", "--crash-delay", "0")
        for origin in ("http://evil.test", "null", "http://127.0.0.1:1"):
            refused = server.client.post("/crash", headers={"Origin": origin})
            assert (refused.status_code, refused.json()["error"]) == (403, "chaos_disabled")
        assert 'data-chaos="on"' in server.client.get("/").text
        own = str(server.client.base_url).rstrip("/")
        with suppress(httpx.TransportError):
            server.client.post("/crash", headers={"Origin": own})
        assert server.ended()[0] == 1


class TestALostReply:
    def test_the_change_is_made_and_the_key_tells_that_it_was(self, cart_servers: CartServers) -> None:
        server = cart_servers.start("--chaos")
        add(server.client)
        assert server.client.post("/chaos/lose-next-reply").status_code == 200
        assert pieces(server.client.get("/cart")) == 1, "a read loses nothing"
        with pytest.raises(httpx.RemoteProtocolError):
            add(server.client, "k")
        again = add(server.client, "k")
        assert (pieces(again), again.headers["Idempotency-Replayed"]) == (2, "true")
        server.client.post("/chaos/lose-next-reply")
        with pytest.raises(httpx.RemoteProtocolError):
            add(server.client)
        assert pieces(add(server.client)) == 4, "sent again without a key, it is made again"
        server.signal(signal.SIGINT)
        assert "bug" not in server.ended()[2]

    def test_a_slow_server_still_looks_healthy_and_can_be_healed(self, cart_servers: CartServers) -> None:
        server = cart_servers.start("--chaos")
        assert server.client.post("/chaos/slow?seconds=0.3").status_code == 200
        began = time.monotonic()
        server.client.get("/cart")
        assert time.monotonic() - began >= 0.3
        assert server.client.get("/ready").status_code == 200
        for wrong in ("", "x", "nan", "-1", "61"):
            assert server.client.post(f"/chaos/slow?seconds={wrong}").status_code == 422
        server.client.post("/chaos/slow?seconds=60")
        assert server.client.post("/chaos/slow?seconds=0").status_code == 200
        assert server.client.get("/cart").status_code == 200, "within the client's patience of 5 s"

    def test_what_is_armed_can_be_read_and_taken_back(self, cart_servers: CartServers) -> None:
        server = cart_servers.start("--chaos")
        for path in ("lose-next-reply?times=3", "slow?seconds=0.5", "clock?ahead=-60"):
            assert server.client.post(f"/chaos/{path}").status_code == 200
        armed = server.client.get("/chaos").json()
        facts = {"loseReplies": 3, "slowSeconds": 0.5, "clockAheadSeconds": -60}
        assert armed == {"serverId": "server-1"} | facts
        for path in ("lose-next-reply?times=0", "slow?seconds=0", "clock?ahead=0"):
            server.client.post(f"/chaos/{path}")
        assert server.client.get("/chaos").json() == {"serverId": "server-1"} | dict.fromkeys(facts, 0)
        assert cart_servers.start().client.get("/chaos").status_code == 403

    @pytest.mark.parametrize("path", ["/chaos/lose-next-reply", "/chaos/slow?seconds=1"])
    def test_without_leave_it_does_neither(self, cart_servers: CartServers, path: str) -> None:
        refused = cart_servers.start().client.post(path)
        assert (refused.status_code, refused.json()["error"]) == (403, "chaos_disabled")


class TestKill:
    def test_carts_in_memory_die_with_their_server(self, cart_servers: CartServers) -> None:
        first = cart_servers.start()
        wire = add(first.client).cookies[COOKIE]
        again = _killed_and_started_again(cart_servers, first)
        read = again.client.get("/cart", headers={"Cookie": f"{COOKIE}={wire}"})
        assert pieces(read) == 0
        assert read.headers["X-Session-Origin"] == "none"

    def test_carts_in_the_store_do_not(self, cart_stateless: StartStateless) -> None:
        first = cart_stateless("server-1")
        wire = add(first.client).cookies[COOKIE]
        first.popen.kill()
        first.popen.wait()
        again = cart_stateless("server-1", "--listen", f"127.0.0.1:{first.port}")
        read = again.client.get("/cart", headers={"Cookie": f"{COOKIE}={wire}"})
        assert pieces(read) == 1
        assert read.headers["X-Session-Origin"] == "store"

    def test_a_change_acknowledged_by_a_dead_server_is_replayed_by_another(
        self, cart_stateless: StartStateless
    ) -> None:
        one, two = cart_stateless("server-1"), cart_stateless("server-2")
        add(one.client)
        first = add(one.client, "k")
        one.popen.kill()
        one.popen.wait()
        two.client.cookies = one.client.cookies
        again = add(two.client, "k")
        assert again.content == first.content
        assert again.json()["serverId"] == "server-1"
        assert again.headers["X-Served-By"] == "server-2"
        assert again.headers["Idempotency-Replayed"] == "true"
        assert pieces(two.client.get("/cart")) == 2

    async def test_twenty_shoppers_at_three_servers_fill_one_cart_exactly(
        self, cart_stateless: StartStateless
    ) -> None:
        servers = [cart_stateless(f"server-{number}") for number in (1, 2, 3)]
        add(servers[0].client)
        cookies = servers[0].client.cookies

        async def shop(number: int) -> None:
            url = str(servers[number % len(servers)].client.base_url)
            async with aiohttp.ClientSession(url, cookies=dict(cookies)) as client:
                for _ in range(25):
                    async with client.post("/cart/add", json=PHONE) as answer:
                        assert answer.status == 200

        await asyncio.gather(*(shop(number) for number in range(20)))
        for server in servers:
            server.client.cookies = cookies
            assert pieces(server.client.get("/cart")) == 501

    def test_connections_that_the_store_closed_cost_no_error(
        self, cart_stateless: StartStateless, store_shared: CartStore
    ) -> None:
        server = cart_stateless("server-1")
        add(server.client)
        with store_shared.client() as store:
            store.client_kill_filter(_type="normal", skipme=True)
        assert pieces(add(server.client)) == 2


class TestBytesThatAreNoRequest:
    def test_they_get_an_answer_in_the_shops_own_words(self, cart_servers: CartServers) -> None:
        answer = cart_servers.start().raw(b"this is not HTTP\r\n\r\n")
        _refused(answer, 400, "not_http")

    def test_a_head_without_an_end_is_refused(self, cart_servers: CartServers) -> None:
        server = cart_servers.start()
        with socket.create_connection((server.host, server.port), timeout=20) as connection:
            connection.sendall(b"GET /cart HTTP/1.1\r\nX-Endless: ")
            sent = 0
            # In sips: what is sent after the refusal would reset the connection and lose the answer.
            while not select([connection], [], [], 0.005)[0] and sent < 4 * HEAD_MAX:
                connection.sendall(b"x" * 1_024)
                sent += 1_024
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        assert sent >= HEAD_MAX - 1_024
        _refused(answer, 431, "head_too_large")

    def test_a_body_of_a_megabyte_is_refused_and_the_connection_lives(
        self, cart_servers: CartServers
    ) -> None:
        server = cart_servers.start()
        for content in (b"x" * 1_000_000, iter([b"x" * 100_000] * 10)):
            answer = server.client.post("/cart/add", content=content)
            assert (answer.status_code, answer.json()["error"]) == (413, "body_too_large")
        assert pieces(add(server.client)) == 1

    def test_a_shopper_who_leaves_half_way_disturbs_nobody(self, cart_servers: CartServers) -> None:
        server = cart_servers.start("--drain", "0")
        with socket.create_connection((server.host, server.port)) as connection:
            connection.sendall(ONE_ADD + b'{"it')
            _wait_until(lambda: _counted(server) == 1, "the request has begun")
        assert pieces(add(server.client)) == 1
        server.signal(signal.SIGTERM)
        code, _, err = server.ended()
        assert (code, "bug" in err) == (0, False)


def _refused(answer: bytes, status: int, error: str) -> None:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"x-served-by: server-1" in head
    assert b"x-session-origin: none" in head
    assert json.loads(body)["error"] == error


def _until_not_ready(server: CartServer) -> httpx.Response:
    found: list[httpx.Response] = []

    def is_not_ready() -> bool:
        found.append(httpx.get(server.client.base_url.join("ready")))
        return found[-1].status_code == 503

    _wait_until(is_not_ready, "it is not ready")
    return found[-1]


def _counted(server: CartServer) -> int:
    return int(server.client.get("/stats").json()["requests"])


def _listens(server: CartServer) -> bool:
    try:
        socket.create_connection((server.host, server.port)).close()
    except ConnectionError:
        return False
    return True


def _killed_and_started_again(servers: CartServers, server: CartServer) -> CartServer:
    server.popen.kill()
    server.popen.wait()
    return servers.start("--listen", f"127.0.0.1:{server.port}")


def _wait_until(condition: Callable[[], object], what: str, within: float = 20.0) -> None:
    end = time.monotonic() + within
    while not condition():
        assert time.monotonic() < end, f"waited {within:g} s in vain until {what}"
        time.sleep(0.01)
