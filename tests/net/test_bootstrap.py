"""scripts/bootstrap on small checkouts of its own: the real pip and venv, with wheels made here, offline."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import pytest

HOUSE = Path(__file__).parents[2]
SCRIPTS = ("scripts/bootstrap", "cartlab", "run-side-by-side", "run-sticky", "run-stateless")

#: A build backend in thirty lines, so that nothing has to be downloaded; it also makes the libraries' wheels.
BACKEND = """
import os, sys, zipfile

def wheel(folder, name, files):
    info = name + "-1.dist-info/"
    files = files | {
        info + "METADATA": f"Metadata-Version: 2.1\\nName: {name}\\nVersion: 1\\n",
        info + "WHEEL": "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    }
    record = "".join(path + ",,\\n" for path in [*files, info + "RECORD"])
    file = name + "-1-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, file), "w") as archive:
        for path, text in (files | {info + "RECORD": record}).items():
            archive.writestr(path, text)
    return file

def build_editable(folder, settings=None, metadata=None):
    return wheel(folder, "tiny", {"tiny.pth": os.getcwd() + "\\n"})

if __name__ == "__main__":
    for name in ("pocket", "microscope"):
        wheel(sys.argv[1], name, {name + ".py": ""})
"""
PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "tiny"
version = "1"
"""
LAB = "import os, sys, pocket; print(os.getcwd(), sys.argv[1:])"


class Checkout(NamedTuple):
    root: Path
    env: dict[str, str]

    def start(self, *command: str | Path, **env: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [self.root / command[0], *command[1:]],
            env=self.env | env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *command: str | Path, **env: str) -> tuple[int, str, str]:
        process = self.start(*command, **env)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    def set_up(self, *arguments: str, **env: str) -> str:
        """What a set-up that must succeed says."""
        code, out, err = self.run("scripts/bootstrap", *arguments, **env)
        assert (code, out) == (0, ""), err
        return err

    def has(self, module: str) -> bool:
        python = self.root / ".venv/bin/python"
        return (
            subprocess.run([python, "-c", f"import {module}"], check=False, capture_output=True).returncode
            == 0
        )


class Ready(NamedTuple):
    checkout: Checkout
    said: str


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheels")
    (folder / "backend.py").write_text(BACKEND)
    subprocess.run([sys.executable, folder / "backend.py", folder], check=True)
    return folder


@pytest.fixture
def checkout(tmp_path: Path, wheels: Path) -> Checkout:
    return fresh_clone(tmp_path, wheels)


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory, wheels: Path) -> Ready:
    """One that has been set up, for tests that leave it as it is."""
    checkout = fresh_clone(tmp_path_factory.mktemp("ready"), wheels)
    return Ready(checkout, checkout.set_up())


def fresh_clone(folder: Path, wheels: Path) -> Checkout:
    """As after ``git clone``, in a folder with blanks in its name."""
    root = folder / "a fresh clone"
    for script in SCRIPTS:
        (root / script).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(HOUSE / script, root / script)
    (root / "pyproject.toml").write_text(PYPROJECT)
    shutil.copy(wheels / "backend.py", root)
    (root / "requirements").mkdir()
    (root / "requirements/run.txt").write_text(locked(wheels, "pocket"))
    (root / "requirements/test.txt").write_text(locked(wheels, "microscope"))
    (root / "lab").mkdir()
    (root / "lab/__main__.py").write_text(LAB)
    base = Path(os.path.realpath(sys.executable))
    env = {
        name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_", "PYTHON"))
    }
    env |= {
        "PATH": f"{tools(folder)}",
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(wheels),
        "PYTHON": str(base),
    }
    env |= {"PIP_CONFIG_FILE": os.devnull}
    return Checkout(root, env)


def locked(wheels: Path, name: str) -> str:
    digest = sha256((wheels / f"{name}-1-py3-none-any.whl").read_bytes()).hexdigest()
    return f"{name}==1 --hash=sha256:{digest}\n"


def tools(folder: Path) -> Path:
    """A PATH with a shell's tools, without uv and without any Python."""
    (folder / "bin").mkdir()
    for tool in ("sh", "env", "dirname", "readlink", "cksum", "rm", "mv", "cat"):
        (folder / "bin" / tool).symlink_to(shutil.which(tool) or tool)
    return folder / "bin"


def interpreter(path: Path, *, prelude: str) -> str:
    """A Python that has something wrong with it: ``prelude`` runs before every script it is handed."""
    python = os.path.realpath(sys.executable)
    path.write_text(f"#!/bin/sh\n{{ echo '{prelude}'; cat; }} | '{python}' \"$@\"\n")
    path.chmod(0o755)
    return str(path)


def test_a_fresh_clone_gets_the_libraries_of_a_run_and_no_test_tools(ready: Ready) -> None:
    assert "making .venv" in ready.said
    assert len(ready.said.splitlines()) <= 2
    assert ready.checkout.has("pocket")
    assert not ready.checkout.has("microscope")


def test_a_second_set_up_is_silent_and_costs_next_to_nothing(ready: Ready) -> None:
    seconds = []
    for _ in range(5):
        began = time.perf_counter()
        assert ready.checkout.set_up(PYTHON="") == ""
        seconds.append(time.perf_counter() - began)
    assert min(seconds) < 0.2


def test_commands_work_through_links_from_anywhere(ready: Ready, tmp_path: Path) -> None:
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab/__main__.py").write_text("raise SystemExit('the wrong lab')")
    (tmp_path / "link").symlink_to(ready.checkout.root / "run-sticky")
    words = ["./link", "--seed", "7 8"]
    env = ready.checkout.env
    done = subprocess.run(words, cwd=tmp_path, env=env, check=True, capture_output=True, text=True)
    assert done.stdout == f"{tmp_path} ['run', 'crash', '--arms', 'sticky', '--seed', '7 8']\n"


def test_test_tools_come_on_top_when_asked_for(checkout: Checkout) -> None:
    assert "test tools" in checkout.set_up("test")
    assert checkout.has("microscope")
    assert checkout.set_up("test") == checkout.set_up() == ""


def test_a_moved_checkout_is_set_up_again(checkout: Checkout) -> None:
    checkout.set_up()
    moved = Checkout(checkout.root.rename(checkout.root.with_name("moved")), checkout.env)
    assert "making .venv" in moved.set_up()
    code, out, _ = moved.run("cartlab", "list")
    assert code == 0
    assert out.endswith("['list']\n")


def test_a_changed_lock_is_installed(checkout: Checkout, wheels: Path) -> None:
    checkout.set_up()
    both = locked(wheels, "pocket") + locked(wheels, "microscope")
    (checkout.root / "requirements/run.txt").write_text(both)
    checkout.set_up()
    assert checkout.has("microscope")


def test_changed_metadata_reinstalls_the_project_and_nothing_else(checkout: Checkout) -> None:
    checkout.set_up()
    made = checkout.root / ".venv/.made-run"
    before = made.stat().st_mtime_ns
    (checkout.root / "pyproject.toml").write_text(PYPROJECT + "description = 'new'\n")
    checkout.set_up()
    assert made.stat().st_mtime_ns == before
    assert checkout.set_up() == ""


def test_two_set_ups_at_once_make_one_venv(checkout: Checkout) -> None:
    both = [checkout.start("scripts/bootstrap") for _ in range(2)]
    said = [process.communicate(timeout=60)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert "".join(said).count("making .venv") == 1
    assert checkout.has("pocket")


def test_a_set_up_killed_half_way_is_done_again(checkout: Checkout) -> None:
    with socket.create_server(("127.0.0.1", 0)) as index:  # an index that never answers
        index.settimeout(30)
        address = f"http://127.0.0.1:{index.getsockname()[1]}/simple"
        process = checkout.start("scripts/bootstrap", PIP_NO_INDEX="0", PIP_INDEX_URL=address)
        connection, _ = index.accept()
        with connection:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    assert (checkout.root / ".venv/bin/python").exists()
    assert not list(checkout.root.glob(".venv/.made-run"))
    checkout.set_up()
    assert checkout.has("pocket")


@pytest.mark.parametrize("hashed", [" --hash=sha256:" + "0" * 64, ""], ids=["wrong hash", "no hash"])
def test_a_library_that_is_not_the_locked_one_is_refused(checkout: Checkout, hashed: str) -> None:
    (checkout.root / "requirements/run.txt").write_text(f"pocket==1{hashed}\n")
    code, _, said = checkout.run("scripts/bootstrap")
    assert code == 4
    assert "could not install" in said
    assert not list(checkout.root.glob(".venv/.made-run"))


def test_a_machine_without_python_is_told_how_to_get_one(checkout: Checkout) -> None:
    code, _, said = checkout.run("scripts/bootstrap", PYTHON="")
    assert code == 4
    assert "apt install python3" in said
    assert "brew install" in said


def test_an_old_python_is_refused_by_its_version(checkout: Checkout, tmp_path: Path) -> None:
    old = interpreter(tmp_path / "bin/python3", prelude="import sys; sys.version_info = (3, 9, 6)")
    code, _, said = checkout.run("scripts/bootstrap", PYTHON="")
    assert code == 4
    assert "python3 (too old: 3.9)" in said
    assert checkout.run("scripts/bootstrap", PYTHON=old)[0] == 4


def test_a_python_without_venv_and_pip_is_told_debians_package(checkout: Checkout, tmp_path: Path) -> None:
    prelude = "import importlib.util as u; u.find_spec = lambda name: None"
    interpreter(tmp_path / "bin/python3", prelude=prelude)
    code, _, said = checkout.run("scripts/bootstrap", PYTHON="")
    assert code == 4
    assert "apt install python3-venv" in said


def test_an_unknown_argument_is_a_usage_error(checkout: Checkout) -> None:
    code, _, said = checkout.run("scripts/bootstrap", "everything")
    assert code == 2
    assert "'everything'" in said


def test_pip_takes_over_when_uv_cannot_do_it(checkout: Checkout, tmp_path: Path) -> None:
    uv = tmp_path / "bin/uv"
    uv.write_text("#!/bin/sh\necho 'uv: no route to the index' >&2\nexit 2\n")
    uv.chmod(0o755)
    said = checkout.set_up()
    assert "no route to the index" in said
    assert "trying pip" in said
    assert checkout.has("pocket")


@pytest.mark.skipif(shutil.which("uv") is None, reason="no uv here; its absence is tested above")
def test_uv_does_it_when_it_is_there(checkout: Checkout, tmp_path: Path, wheels: Path) -> None:
    (tmp_path / "bin/uv").symlink_to(shutil.which("uv") or "uv")
    said = checkout.set_up("test", UV_NO_INDEX="1", UV_FIND_LINKS=str(wheels))
    assert "and uv" in said
    assert "trying pip" not in said
    assert checkout.has("microscope")
