"""Settings are checked once, and every refusal says what would have been right."""

from __future__ import annotations

from typing import Any

import pytest

from lb.pool import Address
from lb.settings import BadSetting, Settings, address_of, servers_of

HERE = Address("127.0.0.1", 0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:80", Address("127.0.0.1", 80)),
        ("localhost:0", Address("localhost", 0)),
        ("[::1]:8080", Address("::1", 8080)),
    ],
)
def test_an_address_reads_and_prints_the_same(text: str, expected: Address) -> None:
    assert address_of(text) == expected
    assert str(expected) == text


@pytest.mark.parametrize(
    "text", ["", "80", "host", "host:", ":80", "host:x", "host:65536", "::1:80", "a b:80"]
)
def test_what_is_no_address_is_refused_with_the_form_it_should_have(text: str) -> None:
    with pytest.raises(BadSetting, match="expected HOST:PORT"):
        address_of(text)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["127.0.0.1:80"], "expected NAME=HOST:PORT"),
        (["a b=127.0.0.1:80"], "is no server name"),
        (["a=127.0.0.1:80", "a=127.0.0.1:81"], "two servers are called a"),
        (["a=nowhere"], "expected HOST:PORT"),
    ],
)
def test_a_server_that_cannot_be_is_refused(texts: list[str], message: str) -> None:
    with pytest.raises(BadSetting, match=message):
        servers_of(texts)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"inter": 0}, "inter is 0 s; expected more than 0"),
        ({"check_timeout": -1}, "check_timeout is -1 s"),
        ({"connect_timeout": 1e9}, "at most 86400 s"),
        ({"fall": 0}, "fall is 0; expected at least 1"),
        ({"retries": -1}, "retries is -1; expected at least 0"),
        ({"sticky_cookie": "a b"}, "is no cookie name"),
        ({"check_path": "ready"}, "is no path"),
        ({"check_path": "/a b"}, "is no path"),
    ],
    ids=lambda item: str(next(iter(item))) if isinstance(item, dict) else "",
)
def test_a_setting_out_of_range_is_refused_with_the_range(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(BadSetting, match=message):
        Settings(listen=HERE, **wrong)
