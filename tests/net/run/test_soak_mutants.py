"""The oracle sees each promise break: cart servers with one rule taken out, and nothing else changed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

HOUSE = Path(__file__).parents[3]
STRATEGIES = "services/cart/strategies"


@dataclass(frozen=True)
class Patch:
    """In ``file`` of the strategies, ``old`` becomes ``new``; it must be there exactly once."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Mutant:
    name: str
    patches: tuple[Patch, ...]
    soak: tuple[str, ...]
    breaks: frozenset[str]


ACK_BEFORE_STORE = Mutant(
    "stateless answers first and asks the store a moment later",
    (
        Patch("stateless.py", "from typing import", "import asyncio\nfrom typing import"),
        Patch(
            "stateless.py",
            "        answer, _ = await self._carts.change(session, ask)\n        return answer\n",
            """\
        if ask.create:
            return (await self._carts.change(session, ask))[0]
        cart = (await self._carts.read(session)).cart.after(ask.change)

        async def later() -> None:
            await asyncio.sleep(0.2)
            await self._carts.change(session, ask)

        self._later = {*getattr(self, "_later", ()), asyncio.create_task(later())}
        return Answer(self._server, cart, origin=ORIGIN)
""",
        ),
    ),
    ("--arm", "stateless", "--trials", "4", "--faults", "kill"),
    frozenset(
        {"survives_server_crash", "acknowledged", "concurrent_adds", "never_stale", "keyed_retry_once"}
    ),
)

EXPIRY_OUTSIDE = Mutant(
    "the time to live is a second command, after the script",
    (
        Patch(
            "change.lua",
            "redis.call('SET', record, answer, 'PX', ask.window_ms)",
            "redis.call('SET', record, answer)",
        ),
        Patch("change.lua", "redis.call('PEXPIRE', session, math.min(ask.idle_ms, last - now))", ""),
        Patch("in_store.py", "import json\n", "import asyncio\nimport json\n"),
        Patch(
            "in_store.py",
            "        status, found = await self._run(self._change, keys, self._words(ask, owner))\n",
            """\
        status, found = await self._run(self._change, keys, self._words(ask, owner))
        await asyncio.sleep(0.2)
        await self._store.call("PEXPIRE", keys[0], _ms(self._config.session_ttl))
        await self._store.call("PEXPIRE", keys[1], _ms(self._config.op_window))
""",
        ),
    ),
    ("--arm", "stateless", "--trials", "4", "--faults", "kill"),
    frozenset({"time_to_live"}),
)

NO_EPOCH = Mutant(
    "nobody compares epochs: a copy is shown, and changed, whoever was in charge since",
    (
        Patch("read.lua", "if ARGV[3] == epoch .. ':' .. revision then", "if ARGV[3] ~= '' then"),
        Patch(
            "change.lua",
            "if ask.owner and (ask.epoch ~= epoch or ask.owner ~= head[5]) then",
            "if false then",
        ),
    ),
    ("--arm", "write_through/none", "--minutes", "0.05", "--faults", "none"),
    frozenset({"never_stale", "acknowledged", "concurrent_adds"}),
)


def broken_house(place: Path, mutant: Mutant) -> Path:
    """All of the lab in a folder of its own, with ``mutant``'s patches in its cart servers."""
    for room in ("lab", "lb", "services"):
        shutil.copytree(HOUSE / room, place / room, ignore=shutil.ignore_patterns("__pycache__"))
    for patch in mutant.patches:
        file = place / STRATEGIES / patch.file
        source = file.read_text(encoding="utf-8")
        assert source.count(patch.old) == 1, f"{patch.file} has changed; this mutant must be written anew"
        file.write_text(source.replace(patch.old, patch.new), encoding="utf-8")
    return place


def soak(house: Path, runs: Path, *words: str) -> tuple[int, dict[str, Any]]:
    """Code and findings of ``cartlab soak`` as it stands in ``house``: its programs come from there too."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "lab",
            "soak",
            *words,
            "--seed",
            "4",
            "--shoppers",
            "90",
            "--runs",
            str(runs),
            "--json",
        ],
        cwd=house,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, found


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "mutant", [ACK_BEFORE_STORE, EXPIRY_OUTSIDE, NO_EPOCH], ids=["ack-first", "expiry-outside", "no-epoch"]
)
def test_a_rule_that_is_taken_out_is_a_promise_seen_to_break(mutant: Mutant, tmp_path: Path) -> None:
    house = broken_house(tmp_path / "house", mutant)
    code, found = soak(house, tmp_path / "runs", *mutant.soak)
    assert code == 1, found
    assert found["broken"]["promise"] in mutant.breaks, found["story"]
    assert found["story"]


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("mutant", [ACK_BEFORE_STORE, NO_EPOCH], ids=["kills", "no tie"])
def test_with_the_rule_in_its_place_the_same_soak_finds_nothing(mutant: Mutant, tmp_path: Path) -> None:
    code, found = soak(HOUSE, tmp_path / "runs", *mutant.soak)
    assert code == 0, (found["broken"], found["story"])
