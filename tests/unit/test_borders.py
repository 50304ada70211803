"""The house keeps its walls: who may import whom, what pure modules may not touch, and how big things get.

Read from the source, so a module is judged without being imported.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

HOUSE = Path(__file__).parents[2]
ROOMS = ("lab", "lb", "services")

#: Modules that only compute: rules, tables, judgements, drawings. A pattern that matches nothing is an error.
PURE = (
    "lab/acts.py",
    "lab/cluster/compose/blueprint.py",
    "lab/cluster/swarm/blueprint.py",
    "lab/cluster/swarm/tasks.py",
    "lab/arms.py",
    "lab/claims.py",
    "lab/comparison.py",
    "lab/declarations.py",
    "lab/cluster/foreign/notices.py",
    "lab/cluster/foreign/sight.py",
    "lab/errors.py",
    "lab/export/*.py",
    "lab/findings.py",
    "lab/history.py",
    "lab/judging.py",
    "lab/ledger.py",
    "lab/bounds.py",
    "lab/oracle.py",
    "lab/sights.py",
    "lab/prediction.py",
    "lab/promises.py",
    "lab/packing.py",
    "lab/report/junit.py",
    "lab/report/results.py",
    "lab/report/summary.py",
    "lab/sayings.py",
    "lab/scenario.py",
    "lab/scenarios/*.py",
    "lab/settings.py",
    "lab/soak/blows.py",
    "lab/soak/breach.py",
    "lab/soak/story.py",
    "lab/soak/tally.py",
    "lab/soak/visits.py",
    "lab/soak/words.py",
    "lab/strategies.py",
    "lab/targets.py",
    "lab/teaching.py",
    "lab/timeline.py",
    "lab/topology.py",
    "lab/totals.py",
    "lab/verdict.py",
    "lab/view/*.py",
    "lab/wire/rule.py",
    "lab/workload/catalogue.py",
    "lab/workload/outcome.py",
    "lab/workload/plan.py",
    "lab/workload/throng/letters.py",
    "lab/workload/throng/orders.py",
    "lab/workload/throng/slots.py",
    "lab/workload/throng/tally.py",
    "lab/workload/throng/wishes.py",
    "lab/workload/shapes.py",
    "lb/affinity.py",
    "lb/backed.py",
    "lb/balance.py",
    "lb/body.py",
    "lb/budget.py",
    "lb/cookie.py",
    "lb/counters.py",
    "lb/diagnosis.py",
    "lb/failover.py",
    "lb/hashing.py",
    "lb/health.py",
    "lb/http1.py",
    "lb/keys.py",
    "lb/learned.py",
    "lb/outlier.py",
    "lb/picture.py",
    "lb/places.py",
    "lb/pool.py",
    "lb/refusals.py",
    "lb/replay.py",
    "lb/request.py",
    "lb/response.py",
    "lb/onward.py",
    "lb/queue.py",
    "lb/retry.py",
    "lb/variation.py",
    "lb/roster.py",
    "lb/route.py",
    "lb/settings.py",
    "lb/slowstart.py",
    "lb/sticky.py",
    "lb/trouble.py",
    "lb/trust.py",
    "lb/wiring.py",
    "services/cart/config.py",
    "services/cart/errors.py",
    "services/cart/model.py",
    "services/cart/recommend.py",
    "services/cart/replication/merge.py",
    "services/cart/replication/rank.py",
    "services/cart/strategies/promises.py",
    "services/cart/strategies/protocol.py",
    "services/cart/strategies/records.py",
)

#: Where the drawings meet the terminal; sample plays a made-up run in real time.
SHELL = {
    f"lab/view/{name}.py" for name in ("choice", "console", "keys", "picture", "plain", "sample", "screen")
}

#: What a pure module never touches, and the word for it.
OUTSIDE = {
    "the network": {"socket", "ssl", "http.client", "urllib.request", "httpx", "aiohttp", "redis", "docker"},
    "concurrency": {"asyncio", "anyio", "threading", "multiprocessing", "concurrent", "uvloop"},
    "the clock": {"time", "sched"},
    "dice": {"secrets"},
    "the system": {"os", "sys", "subprocess", "signal", "psutil", "shutil", "tempfile", "termios", "select"},
    "the terminal": {"rich.live", "rich.prompt", "curses", "click"},
}
OUTSIDE_CALLS = {"open": "the file system", "print": "the terminal", "input": "the terminal"}
#: Modules with dice in them, and the one name of each that has none.
HARMLESS_IN = {"random": "Random", "uuid": "UUID"}
FILE_CALLS = {
    "read_text",
    "read_bytes",
    "write_text",
    "write_bytes",
    "exists",
    "iterdir",
    "glob",
    "mkdir",
    "unlink",
}
CLOCK_READERS = {"now", "utcnow", "today"}

LONGEST_MODULE = 300
LONGEST_FUNCTION = 40

#: A fixed sleep guesses how long something takes. Key: file::function, value: why it must be so.
ALLOWED_SLEEPS: dict[str, str] = {}
LONGEST_POLL = 0.1


class Import(NamedTuple):
    line: int
    module: str
    names: tuple[str, ...]


def sources(*rooms: str) -> list[Path]:
    return sorted(path for room in rooms for path in (HOUSE / room).rglob("*.py"))


def pure_modules() -> list[Path]:
    found = {path for pattern in PURE for path in HOUSE.glob(pattern)}
    return sorted(path for path in found if name_of(path) not in SHELL)


def name_of(path: Path) -> str:
    return path.relative_to(HOUSE).as_posix()


def imports(tree: ast.AST) -> Iterator[Import]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (Import(node.lineno, alias.name, ()) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield Import(node.lineno, node.module or "", tuple(alias.name for alias in node.names))


def without(tree: ast.Module, *conditions: str) -> ast.Module:
    """The module less its ``if TYPE_CHECKING:`` or ``if __name__ == '__main__':`` (a demo) block."""
    body = [
        node for node in tree.body if not (isinstance(node, ast.If) and ast.unparse(node.test) in conditions)
    ]
    return ast.Module(body=body, type_ignores=[])


DEMO = "__name__ == '__main__'"
TYPES = "TYPE_CHECKING"


def strangers(room: str, source: str) -> list[str]:
    """Imports of a room that reach into another room, typing included."""
    others = {*ROOMS, "tests", "scripts"} - {room}
    return [
        f"line {found.line}: imports {found.module}"
        for found in imports(ast.parse(source))
        if found.module.partition(".")[0] in others
    ]


def touches(source: str) -> list[str]:
    """What a module reaches for outside of itself: sockets, clock, dice, system, terminal, files."""
    tree = without(ast.parse(source), DEMO)
    found = [
        f"line {this.line}: imports {this.module} ({what})"
        for this in imports(tree)
        for what, modules in OUTSIDE.items()
        if this.module in modules or this.module.partition(".")[0] in modules
    ]
    return found + [complaint for node in ast.walk(tree) for complaint in _touches_of(node)]


def _touches_of(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.ImportFrom(module="random" | "uuid" as dice, names=names) if {
            alias.name for alias in names
        } != {HARMLESS_IN[dice]}:
            yield f"line {node.lineno}: takes dice from {dice}; a random.Random must be an argument"
        case ast.Attribute(value=ast.Name(id="random" | "uuid" as dice), attr=name) if (
            name != HARMLESS_IN[dice]
        ):
            yield f"line {node.lineno}: {dice}.{name} (dice); a random.Random must be an argument"
        case ast.Call(func=ast.Name(id="Random") | ast.Attribute(attr="Random"), args=[]):
            yield f"line {node.lineno}: Random() without a seed (dice)"
        case ast.Call(func=ast.Attribute(attr=attribute)) if attribute in CLOCK_READERS:
            yield f"line {node.lineno}: .{attribute}() (the clock)"
        case ast.Call(func=ast.Attribute(attr=attribute)) if attribute in FILE_CALLS:
            yield f"line {node.lineno}: .{attribute}() (the file system)"
        case ast.Call(func=ast.Name(id=name)) if name in OUTSIDE_CALLS:
            yield f"line {node.lineno}: {name}() ({OUTSIDE_CALLS[name]})"
        case _:
            pass


def impure_friends(source: str, pure: set[str]) -> list[str]:
    """Modules of ours that a pure module imports at run time and that are not pure themselves."""
    found = []
    for this in imports(without(ast.parse(source), TYPES, DEMO)):
        if this.module.partition(".")[0] not in ROOMS:
            continue
        candidates = [this.module, *(f"{this.module}.{name}" for name in this.names)]
        files = [candidate.replace(".", "/") + ".py" for candidate in candidates]
        known = [file for file in files if (HOUSE / file).is_file()]
        found += [f"line {this.line}: imports {file}" for file in known if file not in pure]
    return found


def oversized_functions(source: str) -> list[str]:
    return [
        f"line {node.lineno}: {node.name} has {length} lines"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := _length(node)) > LONGEST_FUNCTION
    ]


def _length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function) is not None:
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines


def fixed_sleeps(source: str) -> list[tuple[str, int]]:
    """Function and line of every sleep of a fixed time that is not the short pause of a polling loop."""
    return list(_sleeps(ast.parse(source), function="", polling=False))


def _sleeps(node: ast.AST, *, function: str, polling: bool) -> Iterator[tuple[str, int]]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        function, polling = node.name, False
    polling = polling or isinstance(node, ast.While)
    match node:
        case ast.Call(
            func=ast.Name(id="sleep") | ast.Attribute(attr="sleep"),
            args=[ast.Constant(value=int() | float() as seconds), *_],
        ) if seconds and not (polling and seconds <= LONGEST_POLL):
            yield function, node.lineno
        case _:
            pass
    for child in ast.iter_child_nodes(node):
        yield from _sleeps(child, function=function, polling=polling)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_nothing_of_another_room(room: str) -> None:
    found = {
        name_of(path): complaints
        for path in sources(room)
        if (complaints := strangers(room, path.read_text()))
    }
    assert not found, f"rooms meet over HTTP only: {found}"


@pytest.mark.parametrize("pattern", PURE)
def test_every_pattern_of_pure_modules_matches_something(pattern: str) -> None:
    assert list(HOUSE.glob(pattern)), f"{pattern}: no such module; was it renamed?"


@pytest.mark.parametrize("path", pure_modules(), ids=name_of)
def test_a_pure_module_touches_nothing_outside_itself(path: Path) -> None:
    assert not touches(path.read_text())


@pytest.mark.parametrize("path", pure_modules(), ids=name_of)
def test_a_pure_module_is_built_from_pure_modules_only(path: Path) -> None:
    pure = {name_of(module) for module in pure_modules()}
    assert not impure_friends(path.read_text(), pure)


def test_no_module_outgrows_the_house() -> None:
    found = {
        name_of(path): lines
        for path in sources(*ROOMS)
        if (lines := len(path.read_text().splitlines())) > LONGEST_MODULE
    }
    assert not found, f"a module over {LONGEST_MODULE} lines wants a second noun: {found}"


def test_no_function_outgrows_the_house() -> None:
    found = {
        name_of(path): long for path in sources(*ROOMS) if (long := oversized_functions(path.read_text()))
    }
    assert not found, f"a function over {LONGEST_FUNCTION} lines, docstring apart, does two things: {found}"


def test_tests_wait_for_conditions_and_not_for_a_fixed_time() -> None:
    found = [
        f"{key} (line {line})"
        for path in sources("tests")
        for function, line in fixed_sleeps(path.read_text())
        if (key := f"{name_of(path)}::{function}") not in ALLOWED_SLEEPS
    ]
    assert not found, f"wait for a condition with a deadline instead: {found}"


@pytest.mark.parametrize(
    "source",
    [
        "import socket",
        "from asyncio import sleep",
        "import urllib.request",
        "def f():\n    import time",
        "from rich.live import Live",
        "import random\nrandom.choice([1])",
        "from random import shuffle",
        "from random import Random\nRandom().random()",
        "from uuid import uuid4",
        "import uuid\nuuid.uuid4()",
        "from datetime import datetime\ndatetime.now()",
        "open('x')",
        "from pathlib import Path\nPath('x').read_text()",
    ],
)
def test_the_checker_sees_an_impure_module(source: str) -> None:
    assert touches(source)


@pytest.mark.parametrize(
    "source",
    [
        "from random import Random\ndef f(rng: Random) -> float:\n    return rng.random()",
        "import random\ndef f(seed: int) -> random.Random:\n    return random.Random(seed)",
        "from rich.table import Table",
        "from uuid import UUID",
        "if __name__ == '__main__':\n    print('a demo')",
    ],
)
def test_the_checker_lets_a_pure_module_pass(source: str) -> None:
    assert not touches(source)


def test_the_checker_sees_a_wall_broken_even_for_typing() -> None:
    assert strangers("lb", "if TYPE_CHECKING:\n    from lab.history import Operation")
    assert not strangers("lb", "from lb.pool import Pool\nimport labels")


def test_the_checker_sees_an_impure_friend() -> None:
    friends = "from lab.oracle import judge\nfrom lab import history"
    assert len(impure_friends(friends, pure=set())) == 2
    assert not impure_friends(friends, pure={"lab/oracle.py", "lab/history.py", "lab/__init__.py"})


def test_the_checker_counts_lines_without_the_docstring() -> None:
    body = "\n".join(f"    x{n} = {n}" for n in range(LONGEST_FUNCTION - 1))
    assert not oversized_functions(f'def f():\n    """One\n\n    two."""\n{body}\n')
    assert oversized_functions(f"def f():\n{body}\n    return 1\n")


def test_the_checker_tells_a_fixed_sleep_from_a_poll() -> None:
    assert fixed_sleeps("def f():\n    time.sleep(2)") == [("f", 2)]
    assert fixed_sleeps("async def f():\n    while True:\n        await anyio.sleep(5)") == [("f", 3)]
    assert not fixed_sleeps("async def f():\n    while not done():\n        await anyio.sleep(0.02)")
    assert not fixed_sleeps("async def f():\n    await sleep(0)")
