"""Whose word about the client is taken."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from lb.settings import BadSetting, networks_of
from lb.trust import FOR, PROTO, Trust, scheme

TRUST = Trust([ip_network("10.0.0.0/8"), ip_network("fd00::/8")])


@pytest.mark.parametrize(
    ("address", "trusted"),
    [
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),
        ("fd00::7%eth0", True),
        ("11.0.0.1", False),
        ("unknown", False),
    ],
)
def test_a_proxy_is_trusted_by_its_network(address: str, *, trusted: bool) -> None:
    assert TRUST.holds(address) is trusted
    assert not Trust([]).holds(address)


@pytest.mark.parametrize(
    ("chain", "client"),
    [
        (b"", "10.0.0.1"),
        (b"1.2.3.4", "1.2.3.4"),
        (b"6.6.6.6, 1.2.3.4", "1.2.3.4"),
        (b"6.6.6.6, 1.2.3.4, 10.0.0.2", "1.2.3.4"),
        (b"10.0.0.3, 10.0.0.2", "10.0.0.3"),
        (b"6.6.6.6, junk", "junk"),
    ],
)
def test_the_client_is_the_right_most_hop_that_is_no_trusted_proxy(chain: bytes, client: str) -> None:
    assert TRUST.client("10.0.0.1", {FOR: chain}) == client


@pytest.mark.parametrize(
    ("said", "expected"), [(b"https", b"https"), (b"HTTPS", b"https"), (b"", b"http"), (b"gopher", b"http")]
)
def test_a_scheme_is_one_of_two(said: bytes, expected: bytes) -> None:
    assert scheme({PROTO: said}) == expected


def test_what_is_no_network_is_refused_with_the_form_it_should_have() -> None:
    with pytest.raises(BadSetting, match="expected a network like"):
        networks_of(["10.0.0.1/8"])
