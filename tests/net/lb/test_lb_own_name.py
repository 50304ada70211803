"""The name of one's own address, which an engine may announce a moment after the program's start."""

from __future__ import annotations

import asyncio
import socket
from time import monotonic
from typing import Any

import pytest

from lb.own_name import until_known
from lb.pool import Address
from lb.program import PortTaken

LATE = Address("late-admin", 9000)
UNKNOWN = socket.gaierror(socket.EAI_NONAME, "Name or service not known")


async def test_a_name_that_is_known_soon_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers: list[Any] = [UNKNOWN, socket.gaierror(socket.EAI_AGAIN, "Temporary failure"), []]

    async def look_up(*_: object, **__: object) -> Any:
        answer = answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", look_up)
    await until_known(LATE)
    assert not answers
    assert capsys.readouterr().err.count("late-admin is not known yet; waiting") == 1


async def test_a_name_that_stays_unknown_ends_the_wait_with_what_the_lookup_says() -> None:
    began = monotonic()
    with pytest.raises(socket.gaierror) as problem:
        await until_known(Address("nowhere.invalid", 9000), within=0.3)
    assert monotonic() - began < 10
    said = str(PortTaken(LATE, problem.value))
    assert "cannot listen on port 9000 of late-admin: " in said
    assert "Unknown error" not in said
    assert "--admin" in said


async def test_an_address_in_digits_is_not_looked_up_anywhere() -> None:
    async with asyncio.timeout(1):
        await until_known(Address("127.0.0.1", 0))
        await until_known(Address("::1", 0))
