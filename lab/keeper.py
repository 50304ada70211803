"""The keeper: the process behind ``cartlab up``. It owns one site until it is told to end.

``python -m lab.keeper`` says one line of JSON on stdout, ``ready`` or ``failed``, and is silent
from then on. SIGTERM ends the site. A crashed server stays crashed, since to start it again at
once would hide what a crash does; asked at its socket (``cartlab start``) the keeper does it.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from aiohttp import web

from lab.cluster.family import Family
from lab.cluster.limits import raise_file_limit
from lab.cluster.processes import ProcessSite, opened
from lab.cluster.programs import Wiring
from lab.cluster.standing import SOCKET, Description
from lab.errors import LabError
from lab.topology import ARMS, BALANCERS, Platform, behind

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from lab.cluster.ports import Site
    from lab.topology import Arm

#: By environment, since it may hold a password.
REDIS_URL = "CARTLAB_REDIS_URL"


@click.command(hidden=True)
@click.option("--mode", type=click.Choice(list(ARMS)), required=True)
@click.option("--servers", type=int, required=True)
@click.option("--lb", type=click.Choice(list(BALANCERS)), required=True)
@click.option("--port", type=int, required=True)
@click.option("--admin-port", type=int, required=True)
@click.option("--folder", type=click.Path(path_type=Path), required=True)
@click.option("--platform", type=click.Choice([place.value for place in Platform]), required=True)
def main(mode: str, servers: int, lb: str, port: int, admin_port: int, folder: Path, platform: str) -> None:
    raise_file_limit()
    wiring = Wiring(logs=folder / "log", front_port=port, admin_port=admin_port)
    try:
        asyncio.run(_keep(behind(ARMS[mode](servers), lb), wiring, Platform(platform)))
    except asyncio.CancelledError:
        return  # told to end, and it has
    except LabError as problem:
        print(problem, file=sys.stderr)  # noqa: T201 - its log; `up` may be long gone
        _say({"event": "failed", "message": str(problem)})
        sys.exit(problem.exit_code)


async def _keep(arm: Arm, wiring: Wiring, platform: Platform) -> None:
    me = asyncio.current_task()
    if me:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, me.cancel)
    async with Family("site", arm.name, wiring.logs) as family:
        open_site = _in_containers if platform is Platform.DOCKER else _as_processes
        async with open_site(arm, family, wiring) as site, _answering(site, family.den / SOCKET):
            about = asdict(_describe(arm, site, family, platform))
            family.describe(about)
            _say({"event": "ready", "site": about})
            await asyncio.get_running_loop().create_future()


@asynccontextmanager
async def _as_processes(arm: Arm, family: Family, wiring: Wiring) -> AsyncIterator[Site]:
    site = ProcessSite(arm, family, wiring, redis_url=os.environ.get(REDIS_URL))
    async with opened([site], family):
        yield site


@asynccontextmanager
async def _in_containers(arm: Arm, family: Family, wiring: Wiring) -> AsyncIterator[Site]:
    from lab.cluster.compose.blueprint import Ports  # noqa: PLC0415 - only where it is asked for
    from lab.cluster.compose.stack import open_stack  # noqa: PLC0415 - the SDK, as well

    async with open_stack([arm], family, ports=Ports(wiring.front_port, wiring.admin_port)) as sites:
        yield sites[arm.name]


@asynccontextmanager
async def _answering(site: Site, socket: Path) -> AsyncIterator[None]:
    """The keeper's own small API, for whoever may enter the folder of ``socket``: this user."""

    async def start(request: web.Request) -> web.Response:
        try:
            await site.start(request.match_info["server"])
        except LabError as problem:
            return web.json_response({"message": str(problem)}, status=HTTPStatus.CONFLICT)
        return web.json_response({"server": request.match_info["server"]})

    app = web.Application()
    app.router.add_post("/servers/{server}/start", start)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.UnixSite(runner, str(socket)).start()
        yield
    finally:
        await runner.cleanup()


def _describe(arm: Arm, site: Site, family: Family, platform: Platform) -> Description:
    return Description(
        mode=arm.name,
        sticky=arm.sticky,
        front=site.front.url,
        admin=site.admin.url,
        store=site.store,
        den=str(family.den),
        logs=str(family.logs),
        platform=platform,
        run=family.folder.name,
    )


def _say(line: dict[str, Any]) -> None:
    with suppress(BrokenPipeError):
        print(json.dumps(line), flush=True)  # noqa: T201 - the line that `up` waits for


if __name__ == "__main__":
    main()
