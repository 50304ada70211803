"""What README and CONTRIBUTING print is true: commands parse, tables agree with the code, links lead on."""

from __future__ import annotations

import re
import shlex
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import click
import pytest

from lab.cli import cli
from lab.commands.what_to_try import crash_by_hand
from lab.scenarios import SCENARIOS
from lab.verdict import ExitCode
from lb.__main__ import main as balancer
from lb.admin import create_admin
from lb.pool import Address
from lb.retry import IDEMPOTENT, Decision, Phase, decide, may_repeat
from lb.settings import Settings
from services.cart import strategies
from services.cart.app import create_app
from services.cart.cli import main as cart_server
from services.cart.config import STRATEGIES, Config

if TYPE_CHECKING:
    from collections.abc import Iterator

HOUSE = Path(__file__).parents[2]
PAGES = ("README.md", "CONTRIBUTING.md")
README = (HOUSE / "README.md").read_text()
WRAPPERS = sorted(path.name for path in HOUSE.glob("run-*"))
PROGRAMS = {"lab": cli, "lb": balancer, "services.cart": cart_server}
OUR_WORD = re.compile(r"^(\./|scripts/)[\w-]+$|^cartlab$|python$")


def commands(page: str) -> Iterator[list[str]]:
    """Every command of ours that a page shows, in a block or in a sentence, as words."""
    text = (HOUSE / page).read_text()
    blocks = re.findall(r"```\w+\n(.*?)```", text, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    for shown in [*lines, *re.findall(r"`([^`\n]+)`", prose)]:
        try:
            words = shlex.split(shown.removeprefix("- run: "), comments=True)
        except ValueError:
            continue
        while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
            words.pop(0)
        if words and OUR_WORD.search(words[0]):
            yield words


def as_click(words: list[str]) -> tuple[click.Command, list[str]] | None:
    """The program that ``words`` start and its arguments; None for what is not a program of click's."""
    name, arguments = words[0].removeprefix("./"), words[1:]
    if name in WRAPPERS:
        line = (HOUSE / name).read_text().splitlines()[-1]
        if "/cartlab" not in line:
            return None
        name, arguments = "cartlab", [*shlex.split(line.partition('cartlab"')[2])[:-1], *arguments]
    if name == "cartlab":
        return cli, arguments
    if name.endswith("python") and arguments[:1] == ["-m"]:
        return PROGRAMS[arguments[1]], arguments[2:]
    assert (HOUSE / name).is_file(), f"{name} is shown, and is no file"
    return None


def parse(command: click.Command, arguments: list[str]) -> None:
    """Raise what the command line would; nothing is run."""
    if isinstance(command, click.Group):
        if not arguments:
            return  # the name alone
        name, *arguments = arguments
        assert name in command.commands, f"no command {name!r}"
        command = command.commands[name]
    command.make_context(command.name, list(arguments))


def table(first_cell: str) -> list[list[str]]:
    """The rows of the table whose head begins with ``first_cell``, without their back-ticks."""
    _, _, rest = README.partition(f"\n| {first_cell} |")
    assert rest, f"README has no table that begins with {first_cell!r}"
    rows = []
    for line in rest.splitlines()[2:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return rows


def unquoted(cell: str) -> str:
    return cell.strip("`")


@pytest.mark.parametrize("page", PAGES)
def test_every_command_shown_is_understood(page: str) -> None:
    shown = list(commands(page))
    assert len(shown) > 5
    for words in shown:
        if found := as_click(words):
            try:
                parse(*found)
            except click.ClickException as problem:
                pytest.fail(f"{shlex.join(words)}: {problem.format_message()}")


def test_every_command_of_ours_is_shown() -> None:
    shown = [words for page in PAGES for words in commands(page)]
    names = {words[1] for words in shown if "cartlab" in words[0] and len(words) > 1}
    assert names >= set(cli.commands)
    assert {words[0].removeprefix("./") for words in shown} >= set(WRAPPERS)


def test_the_scenario_table_is_what_the_scenarios_say() -> None:
    declared = [[s.name, s.what_breaks, s.what_you_see, s.what_you_learn] for s in SCENARIOS.values()]
    assert [[unquoted(row[0]), *row[1:]] for row in table("scenario")] == declared


def test_the_exit_codes_are_the_codes_of_the_program() -> None:
    assert table("code") == [[str(code.value), code.meaning] for code in ExitCode]


def test_the_flags_are_the_flags_of_a_run() -> None:
    options = [param for param in cli.commands["run"].params if isinstance(param, click.Option)]
    assert [unquoted(row[0]) for row in table("flag")] == [option.opts[0] for option in options]


def test_the_defaults_are_the_defaults_of_a_run() -> None:
    options = [param for param in cli.commands["run"].params if isinstance(param, click.Option)]
    has_default = {option.opts[0]: option for option in options if option.show_default or option.is_flag}
    shown = {unquoted(row[0]): unquoted(row[1]) for row in table("flag")}
    expected = {
        flag: "off" if option.is_flag else str(option.default) for flag, option in has_default.items()
    }
    assert {flag: shown[flag] for flag in expected} == expected


def test_the_contract_lists_every_call_of_a_cart_server() -> None:
    routes = cast("list[Any]", create_app(Config()).router.routes)
    served = {f"{method} {route.path}" for route in routes for method in route.methods}
    shown = {unquoted(row[0]) for row in table("call")}
    assert shown == served - {"GET /openapi.json", "HEAD /openapi.json"}


def test_the_session_strategies_are_shown_with_what_they_promise() -> None:
    words = {
        "any_server": ("no", "yes"),
        "survives_server_crash": ("lost", "kept"),
        "survives_store_crash": ("lost", "kept"),
        "survives_store_loss": ("lost", "kept"),
        "reads_without_store": ("no", "yes"),
        "writes_without_store": ("no", "yes"),
        "concurrent_adds": ("some are lost", "all count"),
        "keyed_retry_once": ("perhaps twice", "once"),
        "exact_checkout": ("perhaps twice", "exact"),
        "never_stale": ("no", "yes"),
    }
    shown = {unquoted(row[0]): row[1:] for row in table("session strategy")}
    for name in STRATEGIES:
        config = Config(strategy=name, store_url="redis://127.0.0.1")
        promises = asdict(strategies.build(config, {}).promises)
        told = [said[promises[promise]] for promise, said in words.items()]
        if promises["bounded_loss"]:
            told[1] = f"{promises['bounded_loss']} changes at most"
        assert shown.pop(name) == [promises["where"], *told]
    assert not shown


async def test_the_admin_table_lists_every_call_of_the_balancer() -> None:
    nothing = cast("Any", SimpleNamespace())
    routes = create_admin(nothing, nothing).router.routes()
    served = {f"{route.method} {route.resource.canonical}" for route in routes if route.resource}
    rest = README.partition("The admin API")[2]
    assert set(re.findall(r"(?m)^\| `([A-Z]+ [^`]+)`", rest)) == {
        call for call in served if "HEAD" not in call
    }


def test_the_retry_table_is_what_the_balancer_decides() -> None:
    words = {Decision.RETRY: "another server", Decision.ANSWER_ERROR: "an error", Decision.CUT: "cut"}
    kinds = [(b"GET", False), (b"POST", False), (b"POST", True)]
    rows = [
        [
            words[decide(phase, repeatable=repeatable, replayable=True, tries_left=1)]
            for method, keyed in kinds
            for repeatable in [may_repeat(method, has_key=keyed, retry_keyed=True)]
        ]
        for phase in Phase
    ]
    assert [row[1:] for row in table("when it failed")] == rows
    head = README.partition("| when it failed |")[2].partition("|")[0]
    assert {word.encode() for word in head.strip().split(", ")} == IDEMPOTENT


def test_a_long_body_is_not_sent_twice_as_the_readme_says() -> None:
    limit = Settings(listen=Address("127.0.0.1", 0)).replay_limit
    assert f"a body over {limit // 1024} KiB is not kept (`--replay-limit`" in README
    assert "once bytes were sent, it ends in an error" in README
    for repeatable in (True, False):
        outcome = decide(Phase.SENT, repeatable=repeatable, replayable=False, tries_left=1)
        assert outcome is Decision.ANSWER_ERROR
    assert decide(Phase.CONNECTING, repeatable=False, replayable=False, tries_left=1) is Decision.RETRY


def test_the_crash_by_hand_is_the_one_that_cartlab_up_prints() -> None:
    about = SimpleNamespace(den="", front="http://127.0.0.1:8080", mode="sticky")
    printed = [step.command for step in crash_by_hand(cast("Any", about))]
    shown = re.findall(r"(?m)^(?:sleep 2; )?curl .*$", README)
    assert shown == [line.replace("/jar", "jar").replace("-w '\\n' ", "") for line in printed]


def test_every_file_that_a_run_leaves_is_written_by_the_report() -> None:
    source = "".join(path.read_text() for path in sorted((HOUSE / "lab/report").glob("*.py")))
    missing = [name for (name, _) in table("file") if f'"{unquoted(name).strip("/")}"' not in source]
    assert not missing


@pytest.mark.parametrize("page", PAGES)
def test_links_and_pictures_lead_somewhere(page: str) -> None:
    text = (HOUSE / page).read_text()
    headings = {
        re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in re.findall(r"(?m)^#+ (.*)$", text)
    }
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if target.startswith("#"):
            assert target[1:] in headings, target
        elif "://" not in target:
            assert (HOUSE / target).exists(), target


@pytest.mark.parametrize("page", PAGES)
def test_named_files_exist(page: str) -> None:
    text = (HOUSE / page).read_text()
    named = re.findall(r"`((?:lab|lb|services|tests|scripts|requirements|\.ci)/[\w./-]+)`", text)
    assert not [path for path in named if not (HOUSE / path).exists()]


@pytest.mark.parametrize(
    "shown",
    ["./cartlab up", "cartlab run crahs", "./run-sticky --fats", ".venv/bin/python -m lb --stiky learn"],
)
def test_the_checker_sees_a_command_that_is_wrong(shown: str) -> None:
    found = as_click(shlex.split(shown))
    assert found
    with pytest.raises(click.ClickException):
        parse(*found)
