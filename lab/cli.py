"""The command ``cartlab``: arguments in, exit code out."""

from __future__ import annotations

import sys
import traceback
from typing import TYPE_CHECKING, NoReturn

import click

from lab.commands.check import check
from lab.commands.claims import claims
from lab.commands.compare import compare
from lab.commands.doctor import doctor
from lab.commands.export import export
from lab.commands.help_pages import exit_code_table
from lab.commands.list_scenarios import list_scenarios
from lab.commands.run import run
from lab.commands.selftest import selftest
from lab.commands.site import site_commands
from lab.commands.soak import soak
from lab.errors import LabError
from lab.verdict import ExitCode

if TYPE_CHECKING:
    from collections.abc import Sequence

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


HELP = """Crash a cart server and see what sticky sessions cost.

\b
New here?   cartlab run crash         both designs side by side, half a minute
            cartlab up --mode sticky  a site to break by hand, with curl or a browser
            cartlab doctor            is this machine ready?
"""


@click.group(context_settings=CONTEXT, help=HELP, epilog=exit_code_table())
@click.version_option(package_name="cart-chaos-lab", prog_name="cartlab")
def cli() -> None:
    pass


for command in (run, compare, soak, claims, list_scenarios, *site_commands, export, doctor, check, selftest):
    cli.add_command(command)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and leave with its exit code; nobody ever sees a bare traceback."""
    try:
        code = cli.main(args=arguments, prog_name="cartlab", standalone_mode=False)
    except click.ClickException as problem:
        problem.show()
        sys.exit(problem.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        sys.exit(ExitCode.INTERRUPTED)
    except LabError as problem:
        click.echo(f"cartlab: {problem}", err=True)
        sys.exit(problem.exit_code)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(ExitCode.INTERRUPTED)
    except Exception:  # noqa: BLE001 - the last door: a crash of the lab is never taken for a verdict
        traceback.print_exc()
        click.echo("cartlab: the lab itself crashed, so there is no verdict. Please report this.", err=True)
        sys.exit(ExitCode.LAB_CRASHED)
    sys.exit(code if isinstance(code, int) else ExitCode.HELD)
