# noqa: INP001 - scripts are no package
"""The balancers that ``bench_lb.py`` compares: how each is configured, started on its core, and ended."""

from __future__ import annotations

import http.client
import json
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import ExitStack

HOUSE = Path(__file__).parents[1]
STAGE = Path(__file__).with_name("bench_stage.py")
PYTHON = [sys.executable, "-P"]
OPEN_LOAD = Path(__file__).with_name("bench_open.py")
SERVERS, MANY_SERVERS = 3, 100
UP_WITHIN = 10.0
MEASURED, LOAD = 0, 1
"""Cores: who is measured has one of its own."""
NANO = 1e9

# What each is told is written out here, and not exported: whoever doubts a figure reads it in one place.
# HAProxy ties by a cookie of its own, as ours does with "cookie"; the free nginx can only hash one.
HAPROXY = """\
global
  nbthread 1
  maxconn {most}
defaults
  mode http
  timeout connect 1s
  timeout client 60s
  timeout server 30s
  timeout http-request 10s
  timeout http-keep-alive 60s
  http-reuse always
frontend shop
  bind 127.0.0.1:{port} backlog 1024
  option forwardfor
  default_backend carts
backend carts
  balance roundrobin
  cookie SRV insert indirect nocache
  option httpchk GET /ready
  default-server check inter 500
{servers}
"""
NGINX = """\
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.err;
events {{ worker_connections 16384; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 60;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  upstream carts {{
{servers}
    hash $cookie_cart_sid consistent; keepalive 128; keepalive_requests 1000000000;
  }}
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    location / {{
      proxy_pass http://carts; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Host $http_host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }}
  }}
}}
"""


class Missing(Exception):
    """A contestant that cannot take part; the message says why."""


@dataclass(frozen=True, slots=True)
class Running:
    port: int
    process: subprocess.Popen[str]

    @property
    def family(self) -> list[psutil.Process]:
        me = psutil.Process(self.process.pid)
        return [me, *me.children(recursive=True)]

    @property
    def cpu(self) -> float:
        """Seconds that its threads have run so far, those of its children included."""
        tasks = (task for one in self.family for task in Path(f"/proc/{one.pid}/task").iterdir())
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / NANO

    @property
    def memory(self) -> int:
        return sum(one.memory_info().rss for one in self.family)


class Stage:
    """Starts programs, each in the place it is to run, and ends them all."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self._stack = stack
        self.folder = folder
        self._logs: dict[int, Path] = {}
        self._server, ports = self._ask(LOAD, [*PYTHON, str(STAGE), "server", str(MANY_SERVERS)])
        self.upstreams: list[int] = json.loads(ports)

    def ours(self, *flags: str, servers: int = SERVERS) -> Running:
        told = [
            word
            for number, port in enumerate(self.upstreams[:servers], 1)
            for word in ("--server", f"s{number}=127.0.0.1:{port}")
        ]
        # Everything on: the admin API, the headers for learning, retries of keyed requests.
        usual = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--lab-headers", "--retry-keyed"]
        process, line = self._ask(MEASURED, [*PYTHON, "-m", "lb", *usual, *flags, *told])
        return self._ready(json.loads(line)["port"], process)

    def bare(self) -> Running:
        """The server itself, with nobody in front of it."""
        return Running(self.upstreams[0], self._server)

    def haproxy(self, servers: int = SERVERS) -> Running:
        program, port = found("haproxy"), _free_port()
        lines = [f"  server s{n} 127.0.0.1:{p} cookie s{n}" for n, p in self._numbered(servers)]
        config = self.folder / f"haproxy-{port}.cfg"
        most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        config.write_text(
            HAPROXY.format(port=port, servers="\n".join(lines), most=min(16_384, most // 2 - 100))
        )
        return self._ready(port, self._start(MEASURED, [program, "-db", "-f", str(config)]))

    def nginx(self, servers: int = SERVERS) -> Running:
        program, port = found("nginx"), _free_port()
        lines = [f"    server 127.0.0.1:{p};" for _, p in self._numbered(servers)]
        config = self.folder / f"nginx-{port}.conf"
        config.write_text(NGINX.format(port=port, servers="\n".join(lines), folder=self.folder))
        command = [program, "-e", str(self.folder / "nginx.err"), "-c", str(config)]
        return self._ready(port, self._start(MEASURED, command))

    def rival(self, library: str) -> Running:
        upstream = f"http://127.0.0.1:{self.upstreams[0]}"
        process, ports = self._ask(MEASURED, [*PYTHON, str(STAGE), library, upstream])
        return self._ready(json.loads(ports)[0], process)

    def _numbered(self, servers: int) -> Iterator[tuple[int, int]]:
        return iter(enumerate(self.upstreams[:servers], 1))

    def _ask(self, core: int, command: Sequence[str]) -> tuple[subprocess.Popen[str], str]:
        process = self._start(core, command)
        line = process.stdout.readline() if process.stdout else ""
        if not line:
            process.wait()
            raise Missing(f"it did not start: {self._last_line(process)}")
        return process, line

    def _start(self, core: int, command: Sequence[str]) -> subprocess.Popen[str]:
        log = self._stack.enter_context((self.folder / f"{time.monotonic_ns()}.log").open("w+"))
        process = subprocess.Popen(
            ["taskset", "--cpu-list", str(core), *command],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, cwd=HOUSE,
        )  # fmt: skip
        self._stack.callback(end, process)
        self._logs[process.pid] = Path(log.name)
        return process

    def _last_line(self, process: subprocess.Popen[str]) -> str:
        lines = [line for line in self._logs[process.pid].read_text().splitlines() if line.strip()]
        return lines[-1].strip() if lines else f"it ended with code {process.returncode}, silently"

    def _ready(self, port: int, process: subprocess.Popen[str]) -> Running:
        deadline = time.monotonic() + UP_WITHIN
        came: object = "nothing"
        while time.monotonic() < deadline and process.poll() is None:
            with suppress(OSError, http.client.HTTPException):
                came, _ = get(port)
                if came == http.client.OK:
                    return Running(port, process)
            time.sleep(0.05)
        raise Missing(f"no 200 from it within {UP_WITHIN:g} s, but {came}; {self._last_line(process)}")


def found(program: str) -> str:
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/local/sbin")
    if path is None:
        raise Missing(f"no {program} on PATH (Debian, Ubuntu: apt-get install {program})")
    return path


def _free_port() -> int:
    """HAProxy and nginx cannot say which port they took, so one is looked for."""
    with closing(socket.create_server(("127.0.0.1", 0))) as found:
        port: int = found.getsockname()[1]
        return port


def end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    if process.stdin:
        process.stdin.close()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
    if process.stdout:
        process.stdout.close()


def get(port: int, cookie: str = "") -> tuple[int, str]:
    """Status, and what a browser would send back as its cookies."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=2)) as connection:
        connection.request("GET", "/cart", headers={"Cookie": cookie} if cookie else {})
        answer = connection.getresponse()
        answer.read()
        given = answer.headers.get_all("Set-Cookie") or []
        return answer.status, "; ".join(line.partition(";")[0] for line in given)
