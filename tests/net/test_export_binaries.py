"""What is exported for HAProxy and nginx is what HAProxy and nginx themselves take for a configuration."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from lab.export.front import Backend, Front, example_servers
from lab.export.render import render

if TYPE_CHECKING:
    from pathlib import Path

SITES = {
    "sticky": Front(is_tied=True, servers=example_servers(3)),
    "stateless": Front(is_tied=False, servers=example_servers(3)),
    "one server": Front(is_tied=True, servers=example_servers(1)),
    "a hundred servers": Front(is_tied=True, servers=example_servers(100)),
    "unkeyed": Front(is_tied=False, servers=(Backend("a", "127.0.0.1", 1),), retry_keyed=False),
}


def binary(name: str) -> str:
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if path is None:
        pytest.skip(f"no {name} on PATH (Debian, Ubuntu: apt-get install {name})")
    return path


def check(command: list[str]) -> str:
    """What the program has to say; it must call the file good."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("site", SITES)
def test_haproxy_takes_its_configuration_without_a_warning(site: str, tmp_path: Path) -> None:
    program = binary("haproxy")
    file = tmp_path / "haproxy.cfg"
    file.write_text(render("haproxy", SITES[site]))
    said = check([program, "-c", "-f", str(file)])
    assert "WARNING" not in said.upper(), said


@pytest.mark.parametrize("site", SITES)
def test_nginx_takes_its_configuration_without_a_warning(site: str, tmp_path: Path) -> None:
    program = binary("nginx")
    file = tmp_path / "nginx.conf"
    # As it is printed, but for the folders, which only root could use.
    file.write_text(render("nginx", replace(SITES[site], folder=str(tmp_path))))
    said = check([program, "-t", "-e", str(tmp_path / "error.log"), "-c", str(file)])
    assert "warn" not in said, said


def test_a_broken_configuration_is_noticed(tmp_path: Path) -> None:
    file = tmp_path / "haproxy.cfg"
    file.write_text(render("haproxy", SITES["sticky"]).replace("stick on", "stcik on"))
    done = subprocess.run([binary("haproxy"), "-c", "-f", str(file)], capture_output=True, check=False)
    assert done.returncode != 0
