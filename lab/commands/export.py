"""``cartlab export TARGET``: the same balancing, as a configuration for production."""

from __future__ import annotations

import click

from lab.commands.parameters import Named
from lab.export import TARGETS
from lab.export.front import Front, read_servers
from lab.topology import ARMS

EPILOG = """
\b
Examples:
  cartlab export haproxy > haproxy.cfg && haproxy -c -f haproxy.cfg
  cartlab export nginx --mode stateless --servers a=10.0.0.1:9001,b=10.0.0.2:9001
"""


@click.command(epilog=EPILOG)
@click.argument(
    "target", type=Named("target", {name: name for name in TARGETS}), metavar=f"[{'|'.join(TARGETS)}]"
)
@click.option(
    "--mode",
    type=Named("mode", {name: name for name in ARMS}),
    default="sticky",
    show_default=True,
    metavar="sticky|stateless",
    help="Tie a shopper to a server, or nobody.",
)
@click.option(
    "--servers",
    default="3",
    show_default=True,
    metavar="N|NAME=HOST:PORT,...",
    help="How many on this machine from port 9001 on, or where they are.",
)
@click.option(
    "--port", type=click.IntRange(1, 65535), default=8080, show_default=True, help="Where shoppers go."
)
def export(*, target: str, mode: str, servers: str, port: int) -> None:
    """Print the balancer of an arm as a configuration for TARGET.

    Settings are those of the lab's own balancer. What TARGET cannot do, or does in another way, stands
    in the output's first lines, as comments that begin with CANNOT or DIFFERS.
    """
    from lab.export.render import render  # noqa: PLC0415 - Jinja takes 0.1 s that only this command should pay

    is_tied = ARMS[mode]().sticky != "none"
    click.echo(render(target, Front(is_tied=is_tied, servers=read_servers(servers), port=port)), nl=False)
