"""What the programs of an arm are told, and what they are never told where others can read it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.cluster import programs
from lab.cluster.programs import Wiring
from lab.cluster.store import Store
from lab.topology import Arm, stateless_arm, sticky_arm

STORE = Store("redis://user:sesame@somewhere", "cartlab:abc:", "redis 7", is_ours=False)
WIRING = Wiring(logs=Path("log"))


def test_neither_the_secret_nor_the_stores_password_is_ever_an_argument() -> None:
    server = programs.server(stateless_arm(), "server-1", WIRING, STORE)
    balancer = programs.balancer(stateless_arm(), WIRING)
    for program in (server, balancer):
        words = " ".join(program.argv)
        assert WIRING.secret not in words
        assert "sesame" not in words
    assert server.settings["CART_SECRET"] == WIRING.secret
    assert server.settings["CART_STORE_URL"] == STORE.url
    assert server.settings["CART_STORE_PREFIX"] == STORE.prefix


def test_neither_shows_when_printed() -> None:
    assert WIRING.secret not in repr(WIRING)
    assert "sesame" not in repr(STORE)


def test_every_site_has_a_secret_of_its_own() -> None:
    assert WIRING.secret != Wiring(logs=Path("log")).secret
    assert len(WIRING.secret) >= 32


def test_all_servers_of_an_arm_share_the_secret() -> None:
    one, other = (programs.server(sticky_arm(), name, WIRING, None) for name in ("server-1", "server-2"))
    assert one.settings == other.settings


@pytest.mark.parametrize("arm", [sticky_arm(), stateless_arm()], ids=lambda arm: arm.name)
def test_every_program_listens_on_loopback_only(arm: Arm) -> None:
    for program in (programs.balancer(arm, WIRING), programs.server(arm, "server-1", WIRING, None)):
        addresses = [word for flag, word in zip(program.argv, program.argv[1:], strict=False)
                     if flag in ("--listen", "--admin")]  # fmt: skip
        assert addresses
        assert all(address == "127.0.0.1:0" for address in addresses)


def test_logs_are_named_by_arm_and_process() -> None:
    assert programs.server(sticky_arm(), "server-2", WIRING, None).log == Path("log/sticky-server-2.log")
    assert programs.balancer(sticky_arm(), WIRING).log == Path("log/sticky-lb.log")
