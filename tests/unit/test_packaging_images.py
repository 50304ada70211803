"""What the container files say of the programs is true: settings, keys, libraries. No engine is needed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pytest
import yaml

from lb.__main__ import main as balancer
from services.cart.cli import main as cart_server

if TYPE_CHECKING:
    from collections.abc import Sequence

HOUSE = Path(__file__).parents[2]
DOCKERFILE = (HOUSE / "Dockerfile").read_text()
FILES = ("docker-compose.yml", "docker-stack.yml")
#: Read by the programs besides their flags.
OTHERS = {"CART_SECRET", "LB_COOKIE_SECRET"}


def services(file: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load((HOUSE / file).read_text())["services"]
    return found


def settings_of(program: click.Command, prefix: str) -> set[str]:
    """Every name in the environment that the program reads."""
    options = [param for param in program.params if isinstance(param, click.Option)]
    named = {name for option in options for name in _words(option.envvar)}
    return named | {f"{prefix}_{option.name}".upper() for option in options} | OTHERS


def _words(envvar: str | Sequence[str] | None) -> list[str]:
    return [envvar] if isinstance(envvar, str) else list(envvar or ())


SETTINGS = settings_of(cart_server, "CART") | settings_of(balancer, "LB")


@pytest.mark.parametrize("file", FILES)
def test_every_environment_name_is_a_setting_of_a_program(file: str) -> None:
    told = {name for service in services(file).values() for name in service.get("environment", {})}
    assert told
    assert told <= SETTINGS


def test_every_default_of_an_image_is_a_setting_of_a_program() -> None:
    told = set(re.findall(r"\b((?:CART|LB)_[A-Z_]+)=", DOCKERFILE))
    assert told == {"CART_LISTEN", "LB_LISTEN", "LB_ADMIN"}
    assert told <= SETTINGS


@pytest.mark.parametrize("file", FILES)
def test_no_secret_stands_in_a_file(file: str) -> None:
    for service in services(file).values():
        told = service.get("environment", {})
        assert not {name for name in told if "SECRET" in name or "PASSWORD" in name} - {
            "CART_SECRET_FILE",
            "CART_STORE_PASSWORD_FILE",
        }
        assert not re.search(r"://[^/]*@", str(service)), "a URL with a password"


def test_every_server_is_one_that_its_balancer_asks() -> None:
    found = services("docker-compose.yml")
    for arm in ("sticky", "stateless"):
        servers = {
            f"{service['environment']['CART_ID']}={name}:8000"
            for name, service in found.items()
            if service.get("labels", {}).get("cartlab.role") == "server" and name.startswith(arm)
        }
        assert set(found[f"{arm}-lb"]["environment"]["LB_SERVERS"].split()) == servers


def test_labels_tell_every_container_from_a_foreign_one() -> None:
    for name, service in services("docker-compose.yml").items():
        labels = service["labels"]
        assert labels["cartlab.role"] in {"balancer", "server", "store", "keys"}, name
        assert labels.get("cartlab.arm", "") in {"sticky", "stateless", ""}
        if labels["cartlab.role"] == "server":
            assert labels["cartlab.name"] == service["environment"]["CART_ID"]


@pytest.mark.parametrize("base", ["PYTHON_IMAGE", "STORE_IMAGE"])
def test_all_files_name_the_same_base_images(base: str) -> None:
    texts = [DOCKERFILE, *((HOUSE / f).read_text() for f in (*FILES, "scripts/offline-images"))]
    named = {found for text in texts for found in re.findall(rf"{base}(?:=|:-)([\w./-]+:[\w.-]+)", text)}
    assert len(named) == 1
