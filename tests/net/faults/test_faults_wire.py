"""The fault proxy by itself: what each rule does to bytes, and that every rule ends with its owner."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from lab.cluster.family import Family
from lab.cluster.ports import Address
from lab.cluster.wire import Wire
from lab.errors import EnvironmentProblem
from lab.wire.rule import BROKEN, REFUSED, SILENT, UNANSWERED, Rule, Way, slow

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

SOON = 5.0


@dataclass
class Echo:
    """Says every line back; ``heard`` are those that came."""

    heard: list[bytes]
    address: Address


@asynccontextmanager
async def echo() -> AsyncIterator[Echo]:
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async for line in reader:
                heard.append(line)
                writer.write(line)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    try:
        yield Echo(heard, Address(host, port))
    finally:
        server.close()


@asynccontextmanager
async def linked(folder: Path) -> AsyncIterator[tuple[Wire, Echo, Address]]:
    """A proxy with one link, ``it``, to an echo."""
    async with echo() as far, Family("run", "wire", folder) as family:
        wire = await Wire.start(family, "wire")
        try:
            yield wire, far, await wire.door("it", far.address)
        finally:
            wire.close()


@asynccontextmanager
async def ruled(wire: Wire, rule: Rule) -> AsyncIterator[None]:
    owner = await wire.disturb(["it"], rule)
    try:
        yield
    finally:
        await owner.close()


@dataclass
class Talk:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def say(self, line: bytes) -> bytes:
        self.writer.write(line)
        return await self.reader.readline()

    async def is_silent(self, line: bytes, for_seconds: float = 0.3) -> bool:
        """Nothing comes back for so long, and the connection stands."""
        try:
            await asyncio.wait_for(self.say(line), for_seconds)
        except TimeoutError:
            return True
        return False


@asynccontextmanager
async def talk(to: Address) -> AsyncIterator[Talk]:
    reader, writer = await asyncio.open_connection(to.host, to.port)
    try:
        yield Talk(reader, writer)
    finally:
        writer.close()


async def test_without_a_rule_a_link_only_carries(corner: Any, tmp_path: Path) -> None:
    async with linked(tmp_path) as (_, far, door), talk(door) as line:
        assert await line.say(b"one\n") == b"one\n"
        big = b"x" * 60_000 + b"\n"
        for _ in range(20):
            assert await line.say(big) == big
        assert len(far.heard) == 21


async def test_a_delay_is_a_round_trip_longer_and_ends_with_its_owner(corner: Any, tmp_path: Path) -> None:
    async with linked(tmp_path) as (wire, _, door), talk(door) as line:
        owner = await wire.disturb(["it"], slow(0.3))
        began = time.monotonic()
        assert await line.say(b"one\n") == b"one\n"
        assert 0.3 <= time.monotonic() - began < 1.5
        await owner.close()
        began = time.monotonic()
        assert await line.say(b"two\n") == b"two\n"
        assert time.monotonic() - began < 0.2


async def test_a_delay_costs_no_throughput(corner: Any, tmp_path: Path) -> None:
    async with linked(tmp_path) as (wire, _, door), talk(door) as line, ruled(wire, slow(0.3)):
        began = time.monotonic()
        for number in range(10):
            line.writer.write(b"%d\n" % number)
            await line.writer.drain()
            await asyncio.sleep(0)
        answers = [await line.reader.readline() for _ in range(10)]
        assert answers == [b"%d\n" % number for number in range(10)]
        assert time.monotonic() - began < 10 * 0.3


async def test_a_pulled_cable_loses_no_byte_and_delivers_late(corner: Any, tmp_path: Path) -> None:
    async with linked(tmp_path) as (wire, far, door), talk(door) as line:
        assert await line.say(b"before\n") == b"before\n"
        owner = await wire.disturb(["it"], SILENT)
        assert await line.is_silent(b"meanwhile\n")
        assert far.heard == [b"before\n"]
        await owner.close()
        assert await asyncio.wait_for(line.reader.readline(), SOON) == b"meanwhile\n"


async def test_who_gave_up_on_a_pulled_cable_has_sent_nothing(corner: Any, tmp_path: Path) -> None:
    async with linked(tmp_path) as (wire, far, door):
        owner = await wire.disturb(["it"], SILENT)
        async with talk(door) as impatient:
            assert await impatient.is_silent(b"never mind\n")
        async with talk(door) as patient:
            assert await patient.is_silent(b"still here\n")
            await owner.close()
            assert await asyncio.wait_for(patient.reader.readline(), SOON) == b"still here\n"
        assert far.heard == [b"still here\n"]


async def test_one_direction_can_be_silent_alone(corner: Any, tmp_path: Path) -> None:
    async with linked(tmp_path) as (wire, far, door), talk(door) as line, ruled(wire, UNANSWERED):
        assert await line.is_silent(b"done\n")
        assert far.heard == [b"done\n"]


async def test_a_broken_link_resets_what_is_sent_and_delivers_nothing(corner: Any, tmp_path: Path) -> None:
    async with linked(tmp_path) as (wire, far, door), ruled(wire, BROKEN):
        async with talk(door) as line:
            with pytest.raises(ConnectionResetError):
                await asyncio.wait_for(line.say(b"one\n"), SOON)
        assert far.heard == []


async def test_a_reply_can_be_reset_after_the_request_arrived(corner: Any, tmp_path: Path) -> None:
    async with linked(tmp_path) as (wire, far, door), ruled(wire, Rule(back=BROKEN.back)):
        async with talk(door) as line:
            with pytest.raises(ConnectionResetError):
                await asyncio.wait_for(line.say(b"one\n"), SOON)
        assert far.heard == [b"one\n"]


async def test_a_refusing_link_ends_what_is_there_and_comes_back_on_its_port(
    corner: Any, tmp_path: Path
) -> None:
    async with linked(tmp_path) as (wire, _, door), talk(door) as line:
        assert await line.say(b"one\n") == b"one\n"
        owner = await wire.disturb(["it"], REFUSED)
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(line.reader.readline(), SOON)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(door.host, door.port)
        await owner.close()
        async with talk(door) as again:
            assert await again.say(b"two\n") == b"two\n"


async def test_bandwidth_can_be_scarce(corner: Any, tmp_path: Path) -> None:
    async with linked(tmp_path) as (wire, _, door), talk(door) as line:
        scarce = ruled(wire, Rule(there=Way(rate=100_000)))
        began = time.monotonic()
        async with scarce:
            for _ in range(5):
                assert len(await line.say(b"x" * 9_999 + b"\n")) == 10_000
        assert 0.3 < time.monotonic() - began < 3


async def test_the_newest_rule_counts_and_the_one_before_comes_back(corner: Any, tmp_path: Path) -> None:
    async with linked(tmp_path) as (wire, _, door), talk(door) as line:
        first = await wire.disturb(["it"], SILENT)
        second = await wire.disturb(["it"], slow(0))
        assert await line.say(b"one\n") == b"one\n"
        await second.close()
        assert await line.is_silent(b"two\n")
        await first.close()
        assert await asyncio.wait_for(line.reader.readline(), SOON) == b"two\n"


async def test_a_rule_ends_when_its_owner_is_killed(corner: Any, tmp_path: Path) -> None:
    """Nobody says goodbye: the kernel closes what the dead had open."""
    async with linked(tmp_path) as (wire, _, door), talk(door) as line:
        asked = json.dumps({"do": "rule", "links": ["it"], "rule": SILENT.as_words()})
        script = (
            "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); "
            "s.sendall(sys.argv[2].encode() + b'\\n'); print(s.recv(100), flush=True); sys.stdin.read()"
        )
        pipe = asyncio.subprocess.PIPE
        owner = await asyncio.create_subprocess_exec(
            sys.executable, "-c", script, wire._control, asked, stdin=pipe, stdout=pipe
        )
        assert owner.stdout
        assert b"{}" in await owner.stdout.readline()
        assert await line.is_silent(b"one\n")
        owner.kill()
        await owner.wait()
        assert await asyncio.wait_for(line.reader.readline(), SOON) == b"one\n"


async def test_a_link_can_lead_elsewhere_on_the_same_port(corner: Any, tmp_path: Path) -> None:
    async with linked(tmp_path) as (wire, first, door), echo() as second:
        async with talk(door) as line:
            assert await line.say(b"one\n") == b"one\n"
        assert await wire.door("it", second.address) == door
        async with talk(door) as line:
            assert await line.say(b"two\n") == b"two\n"
        assert (first.heard, second.heard) == ([b"one\n"], [b"two\n"])


async def test_a_unix_socket_can_be_disturbed_as_well(corner: Any, tmp_path: Path) -> None:
    async with linked(tmp_path) as (wire, far, _):
        path = corner.temporary / "it.sock"
        await wire.socket("unix", path, str(far.address))
        reader, writer = await asyncio.open_unix_connection(str(path))
        assert await Talk(reader, writer).say(b"one\n") == b"one\n"
        owner = await wire.disturb(["unix"], REFUSED)
        with pytest.raises(OSError):  # noqa: PT011 - refused, or no such file, by the version of Python
            await asyncio.open_unix_connection(str(path))
        await owner.close()
        writer.close()
        reader, writer = await asyncio.open_unix_connection(str(path))
        assert await Talk(reader, writer).say(b"two\n") == b"two\n"
        writer.close()


async def test_what_makes_no_sense_is_refused_with_what_does(corner: Any, tmp_path: Path) -> None:
    async with linked(tmp_path) as (wire, _, _):
        with pytest.raises(EnvironmentProblem, match="no link that; there are it"):
            await wire.disturb(["that"], SILENT)
        with pytest.raises(EnvironmentProblem, match="0 to 60 seconds"):
            await wire.disturb(["it"], slow(1_000))
