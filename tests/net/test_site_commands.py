"""``up``, ``status``, ``where``, ``start`` and ``down``, as a person at a terminal uses them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import httpx
import psutil
import pytest

from lab.cluster.registry import Registry
from lab.cluster.standing import Standing
from lab.commands.what_to_try import Step, around, crash_by_hand

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Corner = Any  # the fixture's type lives in a conftest, which nobody can import
    WaitUntil = Callable[..., None]
    Cartlab = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def cartlab(corner: Corner, tmp_path: Path) -> Iterator[Cartlab]:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "lab", *words],
            env=corner.environment, cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip

    yield run
    run("down")


def up(cartlab: Cartlab, mode: str, *more: str) -> str:
    done = cartlab("up", "--mode", mode, "--port", "0", "--admin-port", "0", "--servers", "2", *more)
    assert done.returncode == 0, done.stderr
    return done.stdout


def standing(name: str) -> Standing:
    return next(Standing.of(record) for record in Registry().living("site") if record.name == name)


def do(step: Step, corner: Corner) -> str:
    """Just what a person does who pastes the printed line."""
    done = subprocess.run(
        ["sh", "-c", step.command], env=corner.environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{step.command}: {done.stderr}"
    return done.stdout


@pytest.mark.parametrize(("mode", "items_after"), [("sticky", []), ("stateless", ["MacBook Pro"])])
def test_the_printed_lines_crash_a_server_by_hand(
    mode: str, items_after: list[str], cartlab: Cartlab, corner: Corner
) -> None:
    page = up(cartlab, mode)
    about = standing(mode).about
    add, read, crash, read_again = crash_by_hand(about)
    status, where, start, down = around(about)
    for step in (add, read, crash, read_again, status, where, start, down):
        assert f"  # {step.says}\n  {step.command}\n" in page

    holder = json.loads(do(add, corner))["serverId"]
    found = json.loads(do(read, corner))
    assert [line["item"] for line in found["cart"]] == ["MacBook Pro"]
    if mode == "sticky":
        assert found["serverId"] == holder
        assert f"{holder} holds session {found['sessionId']}" in do(where, corner)
    else:
        assert "the question is void" in do(where, corner)
    victim = json.loads(do(crash, corner))["message"].split()[0]
    assert victim == holder or mode == "stateless"
    after = json.loads(do(read_again, corner))
    assert [line["item"] for line in after["cart"]] == items_after
    assert after["serverId"] != victim

    assert "down" in do(status, corner)
    assert f"{victim} is up again" in do(start, corner)
    assert "down" not in do(status, corner)
    assert f"{mode}: ended" in do(down, corner)
    assert not corner.left_over()


def test_a_browser_gets_a_page(cartlab: Cartlab) -> None:
    up(cartlab, "sticky")
    answer = httpx.get(standing("sticky").about.front, trust_env=False, headers={"Accept": "text/html"})
    assert answer.status_code == 200
    assert "<html" in answer.text.lower()


def test_two_sites_stand_side_by_side_and_end_one_by_one(cartlab: Cartlab) -> None:
    up(cartlab, "sticky")
    up(cartlab, "stateless")
    assert [site["name"] for site in sites(cartlab)] == ["stateless", "sticky"]
    assert "sticky: ended" in cartlab("down", "sticky").stdout
    assert [site["name"] for site in sites(cartlab)] == ["stateless"]
    assert "No site 'sticky' stands" in cartlab("down", "sticky").stdout
    assert "stateless: ended" in cartlab("down").stdout
    assert "Nothing stands" in cartlab("down").stdout


def test_a_second_site_of_one_mode_is_refused(cartlab: Cartlab) -> None:
    up(cartlab, "sticky")
    again = cartlab("up", "--mode", "sticky")
    assert again.returncode == 4
    assert "A sticky site stands already" in again.stderr


def test_status_tells_the_same_facts_in_every_form(cartlab: Cartlab) -> None:
    up(cartlab, "sticky")
    about = standing("sticky").about
    (site,) = sites(cartlab)
    assert site["front"] == about.front
    assert site["store"] is None
    assert [(row["name"], row["state"], row["sessions"]) for row in site["servers"]] == [
        ("server-1", "up", 0),
        ("server-2", "up", 0),
    ]
    plain = cartlab("status", "--plain").stdout
    shown = cartlab("status").stdout
    for fact in (about.front, about.admin, *(row["address"] for row in site["servers"])):
        assert fact in plain
        assert fact in shown
    assert plain.isascii()


def test_where_takes_a_set_cookie_line_a_value_and_a_fingerprint(cartlab: Cartlab) -> None:
    up(cartlab, "sticky")
    order = {"item": "iPhone 15", "price": 1200}
    answer = httpx.post(f"{standing('sticky').about.front}/cart/add", json=order, trust_env=False)
    line = answer.headers["set-cookie"]
    value = line.partition(";")[0].partition("=")[2]
    holder = answer.json()["serverId"]
    for given in (line, f"Set-Cookie: {line}", value, answer.json()["sessionId"]):
        found = json.loads(cartlab("where", given, "--json").stdout)
        assert found["session"] == answer.json()["sessionId"]
        assert [site["server"] for site in found["sites"]] == [holder]


def test_where_cannot_tell_of_a_session_nobody_knows(cartlab: Cartlab) -> None:
    up(cartlab, "sticky")
    unknown = cartlab("where", "0123456789ab")
    assert unknown.returncode == 3
    assert "no server holds session 0123456789ab" in unknown.stdout
    assert cartlab("where", "theme=dark").returncode == 2


def test_where_and_start_without_a_site_say_how_to_get_one(cartlab: Cartlab) -> None:
    for words in (["where", "0123456789ab"], ["start"]):
        done = cartlab(*words)
        assert done.returncode == 4
        assert "cartlab up --mode sticky" in done.stderr
    assert cartlab("status").returncode == 0
    assert json.loads(cartlab("status", "--json").stdout) == {"sites": []}


def test_a_taken_port_is_refused_with_its_number_and_owner(cartlab: Cartlab) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for flag in ("--port", "--admin-port"):
            other = "--admin-port" if flag == "--port" else "--port"
            done = cartlab("up", "--mode", "sticky", flag, port, other, "0")
            assert done.returncode == 4
            assert f"Port {port} on 127.0.0.1 is taken by" in done.stderr
            assert f"(pid {os.getpid()})" in done.stderr
            assert flag in done.stderr


def test_a_site_that_cannot_start_says_why_and_leaves_nothing(cartlab: Cartlab, corner: Corner) -> None:
    done = cartlab("up", "--mode", "stateless", "--port", "0", "--admin-port", "0",
                   "--redis-url", "redis://user:sesame@127.0.0.1:1")  # fmt: skip
    assert done.returncode == 4
    assert "that store cannot be used" in done.stderr
    assert "sesame" not in done.stderr + done.stdout
    assert not corner.left_over()


def test_down_cleans_after_a_killed_keeper_and_warden(
    cartlab: Cartlab, corner: Corner, wait_until: WaitUntil
) -> None:
    up(cartlab, "sticky")
    record = standing("sticky").record
    processes = [psutil.Process(member.pid) for member in record.members]
    # The warden first: it could not otherwise be kept from doing its work.
    psutil.Process(record.group).kill()
    psutil.Process(record.driver.pid).kill()
    wait_until(lambda: not Registry().living("site"), "the keeper is dead")
    done = cartlab("down")
    assert "Cleaned what a dead run left: site sticky" in done.stdout
    assert not [process for process in processes if process.is_running()]
    assert not corner.left_over()


def sites(cartlab: Cartlab) -> list[dict[str, Any]]:
    listed = json.loads(cartlab("status", "--json").stdout)["sites"]
    return sorted(listed, key=lambda site: str(site["name"]))
