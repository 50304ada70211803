"""What another balancer says, read in the words of ours."""

from __future__ import annotations

from typing import Any

import pytest

from lab.cli import main
from lab.cluster.foreign import finding
from lab.cluster.foreign.haproxy import servers_in, ties_in
from lab.cluster.foreign.notices import Notices
from lab.cluster.foreign.sight import Seen, Sight
from lab.topology import BALANCERS, OURS, behind, stateless_arm, sticky_arm

HEAD = "# pxname,svname,scur,stot,status,check_status,last_chk,addr,\n"
UP = "carts,server-1,2,40,UP,L7OK,,127.0.0.1:4001,\n"
PLACED = {"server-1": "127.0.0.1:4001"}


def test_a_server_is_up_when_a_check_has_passed_where_it_should_be() -> None:
    assert servers_in(HEAD + UP, PLACED) == {"server-1": Seen("up", "L7OK", 40, 2)}


@pytest.mark.parametrize(
    ("there", "instead", "state"),
    [
        ("L7OK", "INI", "starting"),
        ("L7OK", "* INI", "starting"),
        ("4001", "1", "starting"),
        ("UP", "UP 1/2", "up"),
        ("UP", "DOWN 1/2", "down"),
        ("UP", "DRAIN", "draining"),
        ("UP", "MAINT (via a/b)", "maintenance"),
    ],
)
def test_states_are_those_of_our_balancer(there: str, instead: str, state: str) -> None:
    assert servers_in(HEAD + UP.replace(there, instead), PLACED)["server-1"].state == state


def test_only_servers_that_were_placed_are_told_of() -> None:
    others = "carts,BACKEND,0,0,UP,,,,\nshop,FRONTEND,0,0,OPEN,,,,\ncarts,server-2,0,0,MAINT,,,127.0.0.1:1,\n"
    assert set(servers_in(HEAD + UP + others, PLACED)) == {"server-1"}


def test_a_tie_is_named_by_the_fingerprint_of_its_session() -> None:
    table = (
        "# table: carts, type: binary, size:1000000, used:2\n"
        "0x55d0: key=9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08 use=0 exp=599986 "
        "shard=0 server_id=2 server_key=server-2\n"
        "0x55d1: key=60303AE22B998861BCE3B28F33EEC1BE758A213C86C93C076DBE9F558C11C752 use=0 exp=1 shard=0\n"
    )
    assert ties_in(table) == ({"9f86d081884c": "server-2"}, {"9f86d081884c": 599.986})


def told(*sights: Sight) -> list[dict[str, Any]]:
    notices = Notices()
    for at, sight in enumerate(sights):
        notices.compare(sight, float(at))
    return notices.told


def test_only_what_changed_is_an_event() -> None:
    up, down = Seen("up", "L7OK"), Seen("down", "L4CON")
    events = told(Sight({"a": up}), Sight({"a": up}), Sight({"a": down}))
    assert [(event["seq"], event["at"], event["to"], event["cause"]) for event in events] == [
        (1, 0.0, "up", "L7OK"),
        (2, 2.0, "down", "L4CON"),
    ]


def test_a_session_on_another_server_has_moved_and_a_new_one_has_not() -> None:
    events = told(Sight(ties={"s1": "a"}), Sight(ties={"s1": "b", "s2": "b"}), Sight(ties={"s1": "b"}))
    assert [(event["kind"], event["session"], event["from"], event["to"]) for event in events] == [
        ("moved", "s1", "a", "b")
    ]


def test_nginx_ties_by_a_cookie_of_its_own_and_nobody_else_changes_the_tie() -> None:
    assert behind(sticky_arm(), "nginx").sticky == "cookie"
    assert behind(stateless_arm(), "nginx").sticky == "none"
    assert behind(sticky_arm(), "haproxy").sticky == "learn"
    assert behind(sticky_arm(), OURS) == sticky_arm()


@pytest.mark.parametrize("lb", sorted(set(BALANCERS) - {OURS}))
@pytest.mark.parametrize("words", [("run", "crash", "--no-input"), ("up", "--mode", "sticky")])
def test_a_balancer_that_is_not_there_is_refused_with_how_to_get_it(
    words: tuple[str, ...], lb: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(finding, "_BESIDES", ())
    with pytest.raises(SystemExit) as end:
        main([*words, "--lb", lb])
    assert end.value.code == 4
    assert f"apt install {lb}" in capsys.readouterr().err
