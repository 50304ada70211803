"""Every target says all that the balancer of the lab is told: as configuration, or as a comment."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
import yaml

from lab.errors import UsageProblem
from lab.export import TARGETS
from lab.export.front import Backend, Front, example_servers, read_servers
from lab.export.render import duration, render, seconds
from lb.settings import Settings

TIED = Front(is_tied=True, servers=example_servers(3))
UNTIED = replace(TIED, is_tied=False)
YAML = ("traefik", "envoy", "gateway-api")

#: Nothing of the site itself: what the lab needs where it runs the balancer itself.
OF_THE_LAB = {"lab_headers", "listening_on", "folder"}
#: Where somebody else decides it, or where it is of no meaning.
NOT_SAID: dict[str, set[str]] = {
    "haproxy": {"tie_cookie"},  # it learns from the application's cookie, and needs no other
    "traefik": {"host"},  # of the static configuration, like the port in its comment
    "gateway-api": {"host"},
}
OF_TIES = {"cookie", "tie_cookie", "session_ttl", "table_size"}


def changed(value: object) -> Any:
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 7
        case str():
            return value + "7"
        case _:
            return example_servers(4)


def said(front: Front) -> list[str]:
    return [field.name for field in fields(front) if field.name not in OF_THE_LAB]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("setting", said(TIED))
def test_no_setting_is_lost_in_silence(target: str, setting: str) -> None:
    for front in (TIED, UNTIED):
        if setting in NOT_SAID.get(target, ()) or (setting in OF_TIES and not front.is_tied):
            continue
        other = replace(front, **{setting: changed(getattr(front, setting))})
        assert render(target, other) != render(target, front), f"{target} says nothing of {setting}"


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("front", [TIED, UNTIED], ids=["sticky", "stateless"])
def test_what_a_target_cannot_say_stands_in_comments_before_all_else(target: str, front: Front) -> None:
    lines = render(target, front).splitlines()
    comments = [line for line in lines if line.startswith(("# CANNOT: ", "# DIFFERS: "))]
    assert comments
    first = next(number for number, line in enumerate(lines) if not line.startswith("#"))
    assert all(line in lines[:first] for line in comments)


@pytest.mark.parametrize("target", sorted(set(TARGETS) - {"haproxy"}))
def test_who_cannot_learn_says_so_only_where_somebody_is_tied(target: str) -> None:
    assert "CANNOT: learn from the cookie cart_sid" in render(target, TIED)
    assert "learn" not in render(target, UNTIED).replace("learns from live requests", "")


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("front", [TIED, UNTIED], ids=["sticky", "stateless"])
def test_every_server_is_in_the_output(target: str, front: Front) -> None:
    text = render(target, front)
    for server in front.servers:
        assert str(server.port) in text


@pytest.mark.parametrize("target", YAML)
@pytest.mark.parametrize("front", [TIED, UNTIED], ids=["sticky", "stateless"])
def test_yaml_is_yaml_and_ties_only_where_asked(target: str, front: Front) -> None:
    documents = list(yaml.safe_load_all(render(target, front)))
    assert all(isinstance(document, dict) for document in documents)
    assert (front.tie_cookie in str(documents)) is front.is_tied


@pytest.mark.parametrize("target", YAML)
def test_a_key_stands_once_in_its_mapping(target: str) -> None:
    class Strict(yaml.SafeLoader):
        pass

    def mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[Any, Any]:
        keys = [loader.construct_object(key) for key, _ in node.value]
        assert len(keys) == len(set(keys)), keys
        return loader.construct_mapping(node)

    Strict.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, mapping)
    assert list(yaml.load_all(render(target, TIED), Strict))


def test_the_defaults_are_those_of_the_balancer_of_the_lab() -> None:
    ours = {field.name: field.default for field in fields(Settings)}
    shared = {field.name: field.default for field in fields(Front) if field.name in ours}
    del shared["servers"]
    # The lab starts its balancers with --retry-keyed, which is off for anybody else.
    assert shared.pop("retry_keyed") is True
    shared = {name: value for name, value in shared.items() if name != "cookie"}
    assert len(shared) > 12
    assert shared == {name: ours[name] for name in shared}
    assert TIED.cookie == ours["sticky_cookie"]


def test_servers_are_a_number_or_names_with_addresses() -> None:
    assert read_servers("2") == (
        Backend("server-1", "127.0.0.1", 9001),
        Backend("server-2", "127.0.0.1", 9002),
    )
    assert read_servers("a=10.0.0.1:80, b=cart.example:81") == (
        Backend("a", "10.0.0.1", 80),
        Backend("b", "cart.example", 81),
    )


@pytest.mark.parametrize(
    "text",
    [
        "0",
        "101",
        "",
        ",",
        "a",
        "a=b",
        "a=b:0",
        "a=b:70000",
        "a=1.2.3.4:80,a=1.2.3.5:80",
        "a=b;}:80",
        "a\n=b:1",
    ],
)
def test_servers_that_cannot_be_are_refused_with_what_can(text: str) -> None:
    with pytest.raises(UsageProblem, match="expected"):
        read_servers(text)


def test_durations_are_whole_in_the_unit_of_their_reader() -> None:
    assert [duration(value) for value in (0.5, 1.0, 30, 1.25)] == ["500ms", "1s", "30s", "1250ms"]
    assert [seconds(value) for value in (0.5, 30.0)] == ["0.5s", "30s"]
