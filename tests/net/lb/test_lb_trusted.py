"""Proxies in front: believed where the operator says so, and nowhere else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.net.lb.conftest import OpenBackend, StartLb

CLAIMS = {
    "X_Forwarded_For": "6.6.6.6, 1.2.3.4",
    "X_Forwarded_Proto": "https",
    "X_Forwarded_Host": "shop.example",
}


async def test_s12_a_trusted_proxy_is_believed_and_added_to_the_chain(
    start_lb: StartLb, backend: OpenBackend, tmp_path: Path
) -> None:
    s1 = await backend("s1")
    log = tmp_path / "log"
    lb = await start_lb(s1, flags=("--trust", "127.0.0.0/8", "--log", str(log)))
    wire = await lb.wire()
    await wire.get(**CLAIMS)
    await wire.get()
    first, second = s1.seen
    assert first.all("x-forwarded-for") == ["6.6.6.6, 1.2.3.4, 127.0.0.1"]
    assert first.all("x-forwarded-proto") == ["https"]
    assert first.all("x-forwarded-host") == ["shop.example"]
    assert first.all("host") == ["shop"]
    assert second.all("x-forwarded-for") == ["127.0.0.1"]
    assert second.all("x-forwarded-proto") == ["http"]
    wire.close()
    assert await lb.stop() == 0
    assert [json.loads(line)["client"] for line in log.read_text().splitlines()] == ["1.2.3.4", "127.0.0.1"]


@pytest.mark.parametrize(("network", "marked"), [("127.0.0.0/8", True), ("10.0.0.0/8", False)])
async def test_c12_the_cookie_is_secure_for_those_whom_a_trusted_proxy_says_to_speak_https(
    start_lb: StartLb, backend: OpenBackend, network: str, *, marked: bool
) -> None:
    lb = await start_lb(await backend("s1"), flags=("--sticky", "cookie", "--trust", network))
    wire = await lb.wire()

    async def is_secure(**fields: str) -> bool:
        (cookie,) = [c for c in (await wire.get(**fields)).all("set-cookie") if c.startswith("LABSRV=")]
        return "; Secure" in cookie

    assert await is_secure(X_Forwarded_Proto="https") is marked
    assert not await is_secure(X_Forwarded_Proto="http")
    assert not await is_secure()
    assert await is_secure(X_Forwarded_Proto="HTTPS") is marked


async def test_s12_a_stranger_is_not_believed(start_lb: StartLb, backend: OpenBackend) -> None:
    s1 = await backend("s1")
    lb = await start_lb(s1, flags=("--trust", "10.0.0.0/8"))
    await lb.get(**CLAIMS)
    (seen,) = s1.seen
    assert seen.all("x-forwarded-for") == ["127.0.0.1"]
    assert seen.all("x-forwarded-proto") == ["http"]
    assert seen.all("x-forwarded-host") == ["shop"]


async def test_h09_a_hash_of_the_address_follows_the_client_behind_a_trusted_proxy(
    start_lb: StartLb, backend: OpenBackend
) -> None:
    servers = [await backend(f"s{n}") for n in range(1, 4)]
    flags = ("--sticky", "hash", "--hash-key", "address", "--trust", "127.0.0.1")
    lb = await start_lb(*servers, flags=flags)
    homes = [(await lb.get(X_Forwarded_For=f"1.2.3.{n % 10}"))["x-lab-server"] for n in range(20)]
    assert homes[:10] == homes[10:]
    assert len(set(homes)) > 1
