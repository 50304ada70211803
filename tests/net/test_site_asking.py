"""What a site that stands answers to those who ask about it; one site serves all these tests."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from lab.cluster.registry import Registry
from lab.cluster.standing import Standing

if TYPE_CHECKING:
    from collections.abc import Iterator

    Corner = Any  # the fixture's type lives in a conftest, which nobody can import

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(scope="module")
def site(shared_corner: Corner) -> Iterator[Standing]:
    ports = ("--port", "0", "--admin-port", "0")
    done = shared_corner.cartlab("up", "--mode", "sticky", "--servers", "2", *ports)
    assert done.returncode == 0, done.stderr
    yield Standing.of(Registry().living("site")[0])
    shared_corner.cartlab("down")


def test_a_browser_gets_a_page(site: Standing) -> None:
    answer = httpx.get(site.about.front, trust_env=False, headers={"Accept": "text/html"})
    assert answer.status_code == 200
    assert "<html" in answer.text.lower()


def test_a_second_site_of_the_same_mode_is_refused(site: Standing, shared_corner: Corner) -> None:
    again = shared_corner.cartlab("up", "--mode", "sticky")
    assert again.returncode == 4
    assert "A sticky site stands already" in again.stderr


def test_a_port_taken_by_a_site_of_ours_is_called_so(site: Standing, shared_corner: Corner) -> None:
    port = site.about.front.rpartition(":")[2]
    done = shared_corner.cartlab("up", "--mode", "stateless", "--port", port)
    assert done.returncode == 4
    assert f"Port {port} on 127.0.0.1 is taken by your own sticky site" in done.stderr


def test_status_tells_the_same_facts_in_every_form(site: Standing, shared_corner: Corner) -> None:
    (found,) = json.loads(shared_corner.cartlab("status", "--json").stdout)["sites"]
    assert (found["name"], found["front"], found["store"]) == ("sticky", site.about.front, None)
    assert [(row["name"], row["state"]) for row in found["servers"]] == [
        ("server-1", "up"),
        ("server-2", "up"),
    ]
    plain = shared_corner.cartlab("status", "--plain").stdout
    shown = shared_corner.cartlab("status").stdout
    for fact in (site.about.front, site.about.admin, *(row["address"] for row in found["servers"])):
        assert fact in plain
        assert fact in shown
    assert plain.isascii()


def test_status_counts_the_sessions_of_each_server(site: Standing) -> None:
    before = {row.name: row.sessions for row in site.servers()}
    holder = _shop(site).json()["serverId"]
    after = {row.name: row.sessions for row in site.servers()}
    assert after == {**before, holder: before[holder] + 1}


def test_where_takes_every_form_of_a_session(site: Standing, shared_corner: Corner) -> None:
    answer = _shop(site)
    line = answer.headers["set-cookie"]
    value = line.partition(";")[0].partition("=")[2]
    for given in (f"Set-Cookie: {line}", value, answer.json()["sessionId"]):
        found = json.loads(shared_corner.cartlab("where", given, "--json").stdout)
        assert found["session"] == answer.json()["sessionId"]
        assert [site["server"] for site in found["sites"]] == [answer.json()["serverId"]]


def test_where_cannot_tell_of_a_session_that_nobody_knows(site: Standing, shared_corner: Corner) -> None:
    unknown = shared_corner.cartlab("where", "0123456789ab")
    assert unknown.returncode == 3
    assert "no server holds session 0123456789ab" in unknown.stdout


def test_a_name_that_does_not_stand_is_refused_with_those_that_do(
    site: Standing, shared_corner: Corner
) -> None:
    for words in (["where", "0123456789ab", "--site", "stuck"], ["start", "--site", "stuck"]):
        done = shared_corner.cartlab(*words)
        assert done.returncode == 2
        assert "sticky" in done.stderr


def _shop(site: Standing) -> httpx.Response:
    order = {"item": "iPhone 15", "price": 1200}
    return httpx.post(f"{site.about.front}/cart/add", json=order, trust_env=False)
