from __future__ import annotations

import re
from typing import Any

import pytest

from services.cart.config import RANGES, BadSetting, Config, build

STORE = {"strategy": "stateless", "store_url": "unix:///tmp/s"}


def test_nothing_given_is_a_memory_server_on_loopback() -> None:
    assert build({"listen": None, "strategy": None}) == Config()
    assert build({}).is_loopback


@pytest.mark.parametrize(
    ("listen", "host", "port"),
    [("127.0.0.1:9001", "127.0.0.1", 9001), (":0", "127.0.0.1", 0), ("[::1]:80", "::1", 80)],
)
def test_an_address_is_host_and_port(listen: str, host: str, port: int) -> None:
    config = build({"listen": listen})
    assert (config.listen_host, config.listen_port) == (host, port)


@pytest.mark.parametrize("listen", ["9001", "localhost", "a:b", "a:", "a:-1", "a:٣", "a:1.5", ":70000"])
def test_what_is_no_address_is_refused_with_an_example(listen: str) -> None:
    with pytest.raises(BadSetting, match=r"127\.0\.0\.1:9001|0 to 65535"):
        build({"listen": listen})


@pytest.mark.parametrize("name", [name for name in RANGES if name != "listen_port"])
def test_a_setting_out_of_its_range_is_refused_with_the_range(name: str) -> None:
    least, most = RANGES[name]
    for value in (least - 1, most + 1, float("nan")):
        with pytest.raises(BadSetting, match=re.escape(f"{least} to {most}")) as refused:
            build({name: value})
        assert refused.value.name == name
    for value in (least, most):
        build({name: value})


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"strategy": "memroy"}, "Did you mean 'memory'?"),
        ({"strategy": "stateless"}, "redis://HOST:6379"),
        ({**STORE, "store_url": "localhost:6379"}, "starts with redis://"),
        ({"server_id": "a\nb"}, "printable ASCII"),
        ({"server_id": "naïve"}, "printable ASCII"),
        ({"secret": "short"}, "at least 16"),
        ({"listen": "0.0.0.0:80"}, "CART_SECRET"),
    ],
)
def test_a_setting_that_cannot_work_is_refused_with_what_would(raw: dict[str, Any], message: str) -> None:
    with pytest.raises(BadSetting) as refused:
        build(raw)
    assert message in str(refused.value)


def test_other_addresses_work_with_a_secret_of_their_own() -> None:
    assert not build({"listen": "0.0.0.0:80", "secret": "x" * 32}).is_loopback


def test_the_secret_is_never_shown() -> None:
    assert "hush" not in repr(build({"secret": "hush" * 8}))
